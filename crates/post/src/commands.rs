//! The commands that notifications, obstacles and the runbook name, as an operator types them on the local cloud.
//!
//! `…` and `<…>` are what the operator fills in.

use crate::PostId;

/// Resumes the run of a post in the state that failed.
pub fn redrive(post: &PostId) -> String {
    format!("spooky redrive {post}")
}

/// Resumes an execution that failed before it claimed a slot.
pub fn redrive_execution(execution: &str) -> String {
    format!("spooky redrive {execution}")
}

/// Sends a tweet in doubt again, and resumes the run.
pub fn post_again(post: &PostId) -> String {
    format!("spooky redrive {post} --post-again --reason …")
}

/// Records the tweet of a post in doubt.
pub fn attach(post: &PostId) -> String {
    format!("spooky attach {post} <address of the tweet>")
}

/// Runs a slot again, with a new pick and a new approval.
pub fn run_again(post: &PostId) -> String {
    format!("spooky run --again {post} --reason …")
}

/// Runs a slot that no execution has claimed.
pub fn run(post: &PostId) -> String {
    let PostId {
        bot, date, slot, ..
    } = post;
    format!("spooky run --bot {bot} --date {date} --slot {slot}")
}

/// Gives a slot another caption.
pub fn override_caption(post: &PostId) -> String {
    format!("spooky override {post} --caption …")
}

/// Gives a slot another scene.
pub fn override_scene(post: &PostId) -> String {
    format!("spooky override {post} --scene …")
}

/// Lets a post appear after its latest time.
pub fn allow_late(post: &PostId) -> String {
    format!("spooky allow-late {post} --reason …")
}

/// Shows the state and the audit trail of a post.
pub fn show(post: &PostId) -> String {
    format!("spooky show {post}")
}
