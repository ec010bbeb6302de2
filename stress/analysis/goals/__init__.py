"""Whether what was sampled bears a goal out: yes, no, or not known; never a guess."""
