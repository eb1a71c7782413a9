"""What runs a linked pipeline: tasks and fused stages, links, interruption, playout. Nothing here is for users."""
