#![doc = include_str!("../README.md")]

mod build;
mod deploy;
mod emulator;
mod mails;
mod running;

pub use build::{Binaries, Zips, build_functions};
pub use deploy::{Settings, TABLE, connect, deploy, upload_bot_files};
pub use emulator::{Account, Emulator, Mail, Options, REGION, target_directory};
pub use mails::{Mails, ReceivedMail, approve, form_field};
pub use running::{RunningAddress, local_directory, running};
