//! What goes wrong, and that it ends in one post all the same: the whole machine with faults on all sides.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the failure")]

mod cells;
#[path = "../machine/fixture.rs"]
#[expect(dead_code, reason = "the tests of the machine need more of it")]
mod fixture;
mod matrix;
mod proxy;
mod soak;
#[path = "../machine/visit.rs"]
mod visit;
