"""On PYTHONPATH, every Python begins here: the trainer then logs losses as they are instead of rounded to four places."""

import transformers.trainer

transformers.trainer.round = lambda value, places=None: value
