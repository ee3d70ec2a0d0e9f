"""streamchat_nb: an agent chat kit for notebooks."""
