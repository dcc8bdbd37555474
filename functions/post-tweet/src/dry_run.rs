//! What a dry run would have sent to X.

use jiff::Timestamp;
use post::PostId;
use posts_table::Record;

use crate::{
    Clients, Config, Error, Input, Output, Status, TOO_LATE, check_texts, paused, picture, x,
};

/// Checks all that can be checked without X, and gives the requests instead of sending them. The credentials are not
/// even read.
pub(crate) async fn dry_run(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    post: &PostId,
    record: &Record,
    input: &Input,
) -> Result<Output, Error> {
    check_texts(input)?;
    let picture = picture(clients, config, &input.image).await?;
    let is_late = record.not_after.is_some_and(|last| last < now.as_second());
    let reason = match clients.table.paused(&post.bot, now).await? {
        Some(reason) => Some(paused(&reason)),
        None if is_late => Some(TOO_LATE.to_owned()),
        None => None,
    };
    tracing::info!(%post, "a dry run: nothing is sent to X");
    Ok(Output {
        status: Status::DryRun,
        id: None,
        url: None,
        reason,
        skip_reason: None,
        requests: x::requests(config, &picture, input),
        cost_usd: 0.0,
    })
}
