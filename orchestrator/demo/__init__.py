"""The main job end to end, against the sandbox, in processes of its own; every case must end as declared."""
