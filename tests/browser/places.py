"""Every page of the dashboard that somebody who signed in can open, by a name."""

from orchestrator.store import inbox
from tests.browser.stage import RECEIVERS, Stage


def pages(stage: Stage) -> dict[str, str]:
    """Paths, by what is there."""
    with stage.database.store.read() as tx:
        entry = inbox.recent(tx, limit=1)[0].id
    rejected, uncertain = stage.entries["rejected"][0], stage.jobs["uncertain"][0]
    found = {
        "overview": "",
        "jobs": "/jobs",
        "jobs, of a state": "/jobs?state=failed",
        "job": f"/jobs/{stage.one('by hook')}",
        "job, failed": f"/jobs/{stage.one('failed')}",
        "job, running": f"/jobs/{stage.one('waiting')}",
        "job, uncertain": f"/jobs/{uncertain}",
        "many": "/jobs/many?act=cancel&state=waiting",
        "inbox": "/inbox",
        "inbox, rejected": "/inbox?fate=rejected",
        "inbox, filtered": "/inbox?fate=applied&type=video.completed&since=2020-01-01T00:00",
        "entry": f"/inbox/{entry}",
        "rejected": f"/inbox/rejected/{rejected}",
        "destinations": "/destinations",
        "destination": f"/destinations/{RECEIVERS[0]}",
        "archive": "/destinations/archive",
        "dead letters": f"/destinations/{RECEIVERS[0]}/replay",
        "uncertain": "/uncertain",
        "uncertain create": f"/uncertain/{uncertain}",
        "not found": "/destinations/nowhere",
    }
    return {name: f"/dashboard{path}" for name, path in found.items()}
