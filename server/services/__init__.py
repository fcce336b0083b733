"""Use cases, one function each: require, load, decide, append, commit. No HTTP, no SQL, no templates."""
