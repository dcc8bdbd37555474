#![doc = include_str!("../README.md")]

mod approval;
mod audit;
mod budget;
mod claim;
mod error;
mod item;
mod ledger;
mod notification;
mod operator;
mod overrides;
mod pause;
pub mod prices;
mod record;
mod table;

pub use approval::{
    ApprovalImage, ApprovalItem, Decide, Decision, MAX_ROUNDS, OnExpiry, Opened, POLICY, Verdict,
    content_hash,
};
pub use audit::AuditLine;
pub use budget::{
    Attempt, Caps, Micros, Month, Provider, Reservation, Reserved, Settlement, Spending,
};
pub use claim::Claim;
pub use error::Error;
pub use ledger::{Arm, Armed, Ledger, MAX_RECONCILIATIONS};
pub use notification::PendingNotification;
pub use operator::{Deletion, Operator, SlotChange};
pub use overrides::OverrideItem;
pub use pause::Pause;
pub use record::{Failure, Record, RunEnd};
pub use table::Table;
