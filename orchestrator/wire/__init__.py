"""What goes over the wire of our own API: the models that check it, describe it and carry it.

The API validates by them, its OpenAPI document is made from them, and the client returns them. Times are
RFC 3339 in UTC, durations are seconds, sizes are bytes.
"""
