"""What the output raises when the one who reads it has gone."""


class ReaderGone(Exception):
    """Nobody reads our output any more (`| head -1`): not an error, the end of the job."""
