"""What starts jobs by itself: crons and polls, and the schedule that fires them."""
