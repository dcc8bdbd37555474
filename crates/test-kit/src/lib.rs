#![doc = include_str!("../README.md")]

pub mod binary;
pub mod browser;
pub mod buckets;
pub mod endpoints;
pub mod stepper;
