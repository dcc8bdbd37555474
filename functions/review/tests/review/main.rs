//! The real function against the emulator, with a real execution that waits: who may decide, what everybody else
//! gets, and that none of the attacks decides anything, ends the wait or learns anything.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

mod answers;
mod faults;
mod fixture;
mod links;
mod page;
