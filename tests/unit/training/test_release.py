from pathlib import Path

from finevq.inference.loading import NANO_FOLDER
from finevq.model import folder as files
from finevq.training.config import DataConfig, NanoTrainingConfig
from finevq.training.going_on import Earlier
from finevq.training.release import version_that_learnt


def test_weights_keep_the_name_of_the_version_that_learnt_them():
    config = NanoTrainingConfig(data=DataConfig(manifest=Path("unused")), start=NANO_FOLDER)
    assert version_that_learnt(Earlier({}, {"weights_of": "first"}), config) == "first"
    learnt_itself = version_that_learnt(Earlier({}, {}), config)
    assert learnt_itself == files.read_config(NANO_FOLDER).version
