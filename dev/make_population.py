"""Make the table that turns scores into percentiles, from FineVD's public labels.

python dev/make_population.py ../shared/data/finevd/labels.csv
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np

TARGET = Path(__file__).parent.parent / "src/finevq/inference/finevd_population.json"
DIMENSIONS = ("color", "noise", "artifact", "blur", "temporal", "overall")


def main(labels: str) -> None:
    """Write 101 percentiles of the MOS of each dimension."""
    with open(labels, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    table = {
        name: [
            round(float(value), 2)
            for value in np.percentile([float(row[f"mos_{name}"]) for row in rows], range(101))
        ]
        for name in DIMENSIONS
    }
    values = {
        "source": "FineVD (FineVQ, CVPR 2025), MOS of its public videos",
        "num_videos": len(rows),
        "percentiles": table,
    }
    TARGET.write_text(json.dumps(values) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
