#![doc = include_str!("../README.md")]

mod decide;
pub mod link;
pub mod mails;

pub use decide::*;
