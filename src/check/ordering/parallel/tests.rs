//! Stories, told both ways.
