//! What is missing of the evidence takes a pass back.
