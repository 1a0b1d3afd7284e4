"""What a genie is and may do, and what is asked of it: skills, contracts, types of answers."""
