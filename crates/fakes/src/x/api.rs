//! The API of X, as far as the functions use it.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Multipart, Path, State},
    response::{IntoResponse, Response},
    routing::{delete, get, post, put},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    Account, Media, Site, Tweet, add_fault, clear_faults, first_page, oauth::Signed, page,
    problem::problem,
};
use crate::{
    Kind,
    server::{Connection, code},
};

/// What a handler answers; an error is the refusal of a step.
type Answer = Result<Response, Response>;

/// How long an upload can be posted, in seconds.
const MEDIA_LIFETIME: i64 = 86_400;

pub(super) fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/", get(first_page))
        .route("/{handle}", get(page))
        .route("/2/media/upload", post(upload))
        .route("/2/media/metadata", post(metadata))
        .route("/2/tweets", post(create_tweet))
        .route("/2/tweets/{id}", delete(delete_tweet))
        .route("/2/users/{id}/tweets", get(timeline))
        .route(
            "/_fake/faults/{handle}",
            put(add_fault).delete(clear_faults),
        )
        .layer(DefaultBodyLimit::max(20 << 20))
        .with_state(site)
}

/// The fields of an upload form.
async fn upload_form(mut form: Multipart) -> Result<(Option<Bytes>, Option<String>), Response> {
    let (mut media, mut category) = (None, None);
    loop {
        match form.next_field().await {
            Ok(None) => return Ok((media, category)),
            Ok(Some(field)) => match field.name() {
                Some("media") => media = field.bytes().await.ok(),
                Some("media_category") => category = field.text().await.ok(),
                other => return Err(invalid(&format!("unknown field {other:?}"))),
            },
            Err(e) => return Err(invalid(&e.to_string())),
        }
    }
}

async fn upload(State(site): State<Arc<Site>>, request: Signed<Multipart>) -> Answer {
    let Signed {
        account,
        connection,
        body,
        ..
    } = request;
    let (media, category) = upload_form(body).await?;
    let log = json!({"media_category": category, "bytes": media.as_ref().map(Bytes::len)});
    let fault = account.begin("upload", log, "", &connection).await?;
    let media = media.ok_or_else(|| invalid("media is required"))?;
    if category.as_deref() != Some("tweet_image") {
        return Err(invalid("media_category has to be tweet_image"));
    }
    if media.len() > 5_000_000 {
        let detail = "the picture has more than 5 MB";
        return Err(problem(413, "Payload Too Large", detail, "about:blank"));
    }
    let picture =
        image::load_from_memory(&media).map_err(|_| invalid("the media is no picture"))?;
    let id = site.next_id();
    let size = media.len();
    let uploaded = Media {
        bytes: media.to_vec(),
        alt_text: String::new(),
        uploaded: Timestamp::now(),
    };
    account.data().media.insert(id.clone(), uploaded);
    let data = json!({
        "id": id,
        "media_key": format!("3_{id}"),
        "size": size,
        "expires_after_secs": MEDIA_LIFETIME,
        "image": {"image_type": "image/jpeg", "w": picture.width(), "h": picture.height()},
    });
    Ok(answer(200, json!({"data": data}), fault, &connection))
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct MetadataRequest {
    id: String,
    metadata: Metadata,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    alt_text: AltText,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct AltText {
    text: String,
}

async fn metadata(request: Signed<Bytes>) -> Answer {
    let (account, connection) = (&request.account, &request.connection);
    let request: MetadataRequest = parsed(&request.body)?;
    let text = &request.metadata.alt_text.text;
    let fault = account
        .begin("metadata", json!(request), text, connection)
        .await?;
    if text.chars().count() > 1000 {
        return Err(invalid("alt_text.text has more than 1000 characters"));
    }
    match account.data().media.get_mut(&request.id) {
        Some(media) => media.alt_text = text.clone(),
        None => return Err(invalid("there is no such media id")),
    }
    let data = json!({"id": request.id, "associated_metadata": {}});
    Ok(answer(200, json!({"data": data}), fault, connection))
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct TweetRequest {
    text: String,
    media: Option<TweetMedia>,
    #[serde(default)]
    made_with_ai: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct TweetMedia {
    media_ids: Vec<String>,
}

async fn create_tweet(State(site): State<Arc<Site>>, request: Signed<Bytes>) -> Answer {
    let (account, connection) = (&request.account, &request.connection);
    let request: TweetRequest = parsed(&request.body)?;
    let fault = account
        .begin("create-tweet", json!(request), &request.text, connection)
        .await?;
    post_text::check_caption(&request.text).map_err(|e| invalid(&e.to_string()))?;
    let id = site.next_id();
    post_tweet(account, &id, &request, fault.as_ref())?;
    // Its author cannot know of a tweet that does not show yet: the answer is lost as well.
    let fault = match fault {
        Some(Kind::Hidden { .. }) => Some(Kind::ResetAfter),
        fault => fault,
    };
    let data = json!({"id": id, "text": request.text, "edit_history_post_ids": [id]});
    Ok(answer(201, json!({"data": data}), fault, connection))
}

/// Puts a tweet on the timeline.
#[expect(clippy::result_large_err, reason = "the refusal is the answer")]
fn post_tweet(
    account: &Account,
    id: &str,
    request: &TweetRequest,
    fault: Option<&Kind>,
) -> Result<(), Response> {
    let media_ids: &[String] = request.media.as_ref().map_or(&[], |media| &media.media_ids);
    if !(1..=4).contains(&media_ids.len()) {
        return Err(invalid("media.media_ids has to have one to four ids"));
    }
    let now = Timestamp::now();
    let mut data = account.data();
    let duplicate = data
        .tweets
        .iter()
        .any(|tweet| tweet.text == request.text && tweet.deleted_at.is_none());
    if duplicate && !matches!(fault, Some(Kind::MissedDuplicate)) {
        let detail = "You are not allowed to create a Tweet with duplicate content.";
        return Err(problem(403, "Forbidden", detail, "about:blank"));
    }
    let mut tweet = Tweet {
        id: id.to_owned(),
        text: request.text.clone(),
        created_at: now,
        media_keys: Vec::new(),
        alt_texts: Vec::new(),
        made_with_ai: request.made_with_ai,
        pictures: Vec::new(),
        hidden: match fault {
            Some(Kind::Hidden { reads }) => *reads,
            _ => 0,
        },
        deleted_at: None,
    };
    for media_id in media_ids {
        match data.media.get(media_id) {
            Some(media) if now.as_second() - media.uploaded.as_second() < MEDIA_LIFETIME => {
                tweet.media_keys.push(format!("3_{media_id}"));
                tweet.alt_texts.push(media.alt_text.clone());
                tweet.pictures.push(media.bytes.clone());
            }
            _ => return Err(invalid("Your media IDs are invalid.")),
        }
    }
    account
        .save(&tweet)
        .map_err(|e| problem(500, "Internal Error", &e.to_string(), "about:blank"))?;
    data.tweets.push(tweet);
    Ok(())
}

async fn delete_tweet(Path(id): Path<String>, request: Signed<Bytes>) -> Answer {
    let (account, connection) = (&request.account, &request.connection);
    let fault = account
        .begin("delete-tweet", json!({"id": id}), &id, connection)
        .await?;
    if !(1..=19).contains(&id.len()) || !id.bytes().all(|b| b.is_ascii_digit()) {
        return Err(invalid("the id is no id of a tweet"));
    }
    if !request.parameters.is_empty() || !request.body.is_empty() {
        return Err(invalid("a deletion has no query and no body"));
    }
    {
        let mut data = account.data();
        let there = data
            .tweets
            .iter_mut()
            .find(|tweet| tweet.id == id && tweet.deleted_at.is_none());
        let Some(tweet) = there else {
            return Err(not_found("Could not find tweet with that id."));
        };
        tweet.deleted_at = Some(Timestamp::now());
        account
            .save(tweet)
            .map_err(|e| problem(500, "Internal Error", &e.to_string(), "about:blank"))?;
    }
    let data = json!({"deleted": true});
    Ok(answer(200, json!({"data": data}), fault, connection))
}

/// What a timeline is asked for.
struct TimelineQuery {
    count: usize,
    since: Option<Timestamp>,
    fields: Vec<String>,
}

impl TimelineQuery {
    #[expect(clippy::result_large_err, reason = "the refusal is the answer")]
    fn of(parameters: &[(String, String)]) -> Result<TimelineQuery, Response> {
        let value = |name: &str| {
            let named = parameters.iter().find(|(n, _)| n == name);
            named.map(|(_, v)| v.as_str())
        };
        let known = ["max_results", "start_time", "exclude", "tweet.fields"];
        let unknown = |(name, _): &&(String, String)| !known.contains(&name.as_str());
        if let Some((unknown, _)) = parameters.iter().find(unknown) {
            return Err(invalid(&format!("unknown parameter {unknown}")));
        }
        Ok(TimelineQuery {
            count: match value("max_results").unwrap_or("10").parse() {
                Ok(count @ 5..=100) => count,
                _ => return Err(invalid("max_results has to be 5 to 100")),
            },
            since: match value("start_time").map(str::parse).transpose() {
                Ok(since) => since,
                Err(_) => return Err(invalid("start_time is no time")),
            },
            fields: value("tweet.fields")
                .unwrap_or_default()
                .split(',')
                .map(str::to_owned)
                .collect(),
        })
    }

    /// A tweet as the timeline shows it: escaped, and with the link of its picture.
    fn shows(&self, tweet: &Tweet) -> Value {
        let text = tweet
            .text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        let link = &tweet.id[tweet.id.len() - 10..];
        let mut json = json!({"id": tweet.id, "text": format!("{text} https://t.co/{link}")});
        let asked = |name: &str| self.fields.iter().any(|field| field == name);
        if asked("created_at") {
            let at = tweet.created_at.strftime("%Y-%m-%dT%H:%M:%S.000Z");
            json["created_at"] = json!(at.to_string());
        }
        if asked("attachments") {
            json["attachments"] = json!({"media_keys": tweet.media_keys});
        }
        json
    }
}

async fn timeline(Path(user_id): Path<String>, request: Signed<Bytes>) -> Answer {
    let (account, connection) = (&request.account, &request.connection);
    let parameters = &request.parameters;
    let text: Vec<String> = parameters.iter().map(|(n, v)| format!("{n}={v}")).collect();
    let fault = account
        .begin("timeline", json!(parameters), &text.join("&"), connection)
        .await?;
    if user_id != account.user_id() {
        return Err(not_found("there is no such user"));
    }
    let query = TimelineQuery::of(parameters)?;
    let mut shown = Vec::new();
    for tweet in account.data().tweets.iter_mut().rev() {
        if tweet.hidden > 0 {
            // The largest number hides it for good.
            tweet.hidden -= u32::from(tweet.hidden != u32::MAX);
            continue;
        }
        let too_old = query.since.is_some_and(|since| tweet.created_at < since);
        if !too_old && tweet.deleted_at.is_none() && shown.len() < query.count {
            shown.push(query.shows(tweet));
        }
    }
    let body = match shown.len() {
        0 => json!({"meta": {"result_count": 0}}),
        n => json!({"data": shown, "meta": {"result_count": n}}),
    };
    Ok(answer(200, body, fault, connection))
}

#[expect(clippy::result_large_err, reason = "the refusal is the answer")]
fn parsed<T: DeserializeOwned>(body: &Bytes) -> Result<T, Response> {
    serde_json::from_slice(body).map_err(|e| invalid(&e.to_string()))
}

fn not_found(detail: &str) -> Response {
    let kind = "https://api.x.com/2/problems/resource-not-found";
    problem(404, "Not Found Error", detail, kind)
}

/// The answer to what was done, or what a fault makes of it.
fn answer(status: u16, body: Value, fault: Option<Kind>, connection: &Connection) -> Response {
    match fault {
        Some(Kind::ResetAfter) => connection.reset(),
        Some(Kind::AcceptedThenError) => problem(
            503,
            "Service Unavailable",
            "Service Unavailable",
            "about:blank",
        ),
        Some(Kind::Empty) => (code(status), Json(json!({"data": {}}))).into_response(),
        _ => {
            let reset = (Timestamp::now().as_second() + 900).to_string();
            let limits = [
                ("x-rate-limit-limit", "100".to_owned()),
                ("x-rate-limit-remaining", "99".to_owned()),
                ("x-rate-limit-reset", reset),
            ];
            (code(status), limits, Json(body)).into_response()
        }
    }
}

fn invalid(detail: &str) -> Response {
    problem(
        400,
        "Invalid Request",
        detail,
        "https://api.x.com/2/problems/invalid-request",
    )
}
