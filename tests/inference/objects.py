"""A session's objects one by one, whatever groups they are in."""

from jointvos.inference import VideoSegmenter
from jointvos.inference.object_group import ObjectGroup


def objects(session: VideoSegmenter) -> list[ObjectGroup]:
    """In the order in which they appeared, each as a group of its own."""
    found = {
        object_id: group if len(group) == 1 else group.part([i])
        for group in session.groups
        for i, object_id in enumerate(group.object_ids)
    }
    return [found[object_id] for object_id in session.object_ids]
