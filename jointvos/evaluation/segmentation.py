"""A session led through the sequences of a data set, into a folder of results."""

from collections.abc import Iterable, Iterator

from jointvos.datasets import VOSSequence
from jointvos.evaluation.result import SequenceFailure
from jointvos.evaluation.results_folder import ResultsFolder
from jointvos.evaluation.tracking import SEQUENCE_ERRORS, MakeSession, track


def segment_sequences(
    sequences: Iterable[VOSSequence],
    make_session: MakeSession,
    folder: ResultsFolder,
    settings: str,
    failures: list[SequenceFailure],
    max_frames: int | None = None,
) -> Iterator[VOSSequence]:
    """Segment sequences, each written whole or not at all.

    Args:
        sequences: The sequences.
        make_session: Called once for every sequence.
        folder: Takes the masks of the wanted frames.
        settings: Hash of everything that the masks depend on.
        failures: Gets the sequences that cannot be used; they do not end the run.
        max_frames: Only so many frames from the start of each sequence.

    Yields:
        The sequence, after each of its frames.
    """
    for sequence in sequences:
        session = make_session()
        wanted = set(sequence.wanted)
        try:
            with folder.sequence(sequence.name, settings) as writer:
                for each in track(sequence, session, max_frames):
                    writer.step_seconds.append(each.seconds)
                    if each.index in wanted:
                        writer.write(sequence.frames[each.index].stem, each.result.labels)
                    yield sequence
        except SEQUENCE_ERRORS as error:
            failures.append(SequenceFailure(sequence.name, error))
