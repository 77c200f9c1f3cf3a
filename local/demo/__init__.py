"""The main job on this computer: a function that times out on Lambda and finishes on Fargate."""
