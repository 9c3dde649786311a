"""How good and how fast placement is, in a simulated pool of 1000 workers with 50 models.

python bench/placement_bench.py
"""

from __future__ import annotations

import argparse

from tests.dispatch.simulated_pool import simulate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--models", type=int, default=50)
    arguments = parser.parse_args()
    print("load  popularity  models held   loads  least  ratio  ms a job  mean wait s  most overtaken")
    for utilisation in (0.5, 0.8, 0.95, 1.2):
        for popularity in (0.0, 1.0):
            for holds in (1, 2):
                done = simulate(
                    workers=arguments.workers,
                    jobs=arguments.jobs,
                    models=arguments.models,
                    utilisation=utilisation,
                    popularity=popularity,
                    holds=holds,
                )
                print(
                    f"{utilisation:4.2f}  {popularity:10.1f}  {holds:11d}  {done.loads:6d} {done.least_loads:6d}"
                    f"  {done.ratio:5.2f}  {1000 * done.placement_s / len(done.jobs):8.3f}  {done.mean_wait_s:11.1f}"
                    f"  {done.most_overtaken:6d} of {done.allowed}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
