"""A private Redis: data and port outlast everything that is done to it, but a flush."""

import pytest
import redis

from tests.servers.redis import Redis, RedisServer


def test_a_flush_leaves_nothing(redis_server: Redis) -> None:
    with redis_server.client() as client:
        client.rpush("queue", "message")
        redis_server.flush()
        assert client.keys() == []


@pytest.mark.parametrize("how", ["fast", "immediate", "kill"])
def test_what_was_sent_is_there_after_a_restart_on_the_same_port(own_redis: RedisServer, how: str) -> None:
    with own_redis.client() as client:
        client.rpush("queue", "message")
    if how == "kill":
        own_redis.kill()
        own_redis.start()
    else:
        own_redis.restart(how)
    with own_redis.client() as client:
        assert client.lrange("queue", 0, -1) == [b"message"]


def test_stopped_it_answers_nobody(own_redis: RedisServer) -> None:
    own_redis.stop()
    with own_redis.client() as client, pytest.raises(redis.ConnectionError):
        client.ping()


def test_paused_it_answers_once_it_goes_on(own_redis: RedisServer) -> None:
    own_redis.pause()
    with own_redis.client(timeout=0.2) as client, pytest.raises(redis.TimeoutError):
        client.ping()
    own_redis.resume()
    with own_redis.client() as client:
        assert client.ping()
