"""A shop that takes books back, as a user of Lampwork would write it: every public name is used."""
