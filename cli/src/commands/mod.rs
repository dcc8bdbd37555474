//! One module per command.

pub(crate) mod allow_late;
pub(crate) mod approvals;
pub(crate) mod approve;
pub(crate) mod attach;
pub(crate) mod calendar;
pub(crate) mod costs;
pub(crate) mod decision;
pub(crate) mod delete;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod estimate;
pub(crate) mod local;
pub(crate) mod override_;
pub(crate) mod pause;
pub(crate) mod preview;
pub(crate) mod preview_page;
pub(crate) mod redrive;
pub(crate) mod regenerate;
pub(crate) mod reject;
pub(crate) mod resume;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod schedules;
pub(crate) mod show;
pub(crate) mod skip;
pub(crate) mod status;
