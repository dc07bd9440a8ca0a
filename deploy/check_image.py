"""Start an image as it is meant to run, without root or a place to write but its home.

    python deploy/check_image.py barograph:0.1.0

Needs a Docker engine. Runs on a simulated exchange, and passes when the health check of the image
does.
"""

import subprocess
import sys
import time

LIMIT_S = 120.0
PAUSE_S = 1.0
CONFINED = (
    "--read-only", "--tmpfs", "/tmp",  # noqa: S108 - in the container
    "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true", "--memory", "1g",
)  # fmt: skip
UP = ("up", "--venue", "simulated", "--no-retrain", "--port", "8000")


def docker(*words: str) -> str:
    """Standard output of a `docker` command. Raises CalledProcessError."""
    done = subprocess.run(("docker", *words), check=True, capture_output=True, text=True)
    return done.stdout.strip()


def main(image: str) -> None:
    """Exit with 1 and the container's log unless it becomes healthy in time."""
    container = docker("run", "--detach", *CONFINED, image, *UP)
    try:
        end_s = time.monotonic() + LIMIT_S
        while time.monotonic() < end_s:
            state = docker(
                "inspect", "--format", "{{.State.Status}} {{.State.Health.Status}}", container
            )
            if state == "running healthy":
                print(f"{image} is healthy")
                return
            if not state.startswith("running"):
                break
            time.sleep(PAUSE_S)
        sys.exit(f"{image} is {state}:\n{docker('logs', container)}")
    finally:
        docker("rm", "--force", "--volumes", container)


if __name__ == "__main__":
    main(*sys.argv[1:])
