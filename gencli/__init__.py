"""Train small recurrent language models on a CPU; sample from them and score with them."""
