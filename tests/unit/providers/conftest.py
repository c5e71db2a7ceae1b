from hypothesis import settings

# A busy machine is no failure, and examples of one run are no state of the next.
settings.register_profile("tokenwire", deadline=None, database=None)
settings.load_profile("tokenwire")
