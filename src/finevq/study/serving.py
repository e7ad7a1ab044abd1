"""Run the server; one process, as many subjects as a lab has."""

from pathlib import Path

from finevq.errors import MissingExtraError
from finevq.study.folder import open_study


def serve(folder: Path, host: str, port: int) -> None:
    """Serve a study until interrupted.

    Args:
        folder: The study's folder.
        host: Address to listen on.
        port: Port to listen on.

    Raises:
        MissingExtraError: the extra `study` is not installed.
        StudyError: the folder is no study.
    """
    try:
        import uvicorn  # extra `study`

        from finevq.study.app import create_app
    except ImportError:
        raise MissingExtraError("the study server", "study") from None
    store = open_study(folder)
    store.definition()
    uvicorn.run(
        create_app(store, folder),
        host=host,
        port=port,
        log_level="warning",
        # Tokens are in the path: they must not be in a log.
        access_log=False,
        server_header=False,
    )
