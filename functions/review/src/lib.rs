#![doc = include_str!("../README.md")]

mod page;

use anyhow::{Context, anyhow};
use approvals::link::{Keys, Link, Purpose};
use approvals::{
    ApprovalState, DecisionOutcome, DecisionRequest, TextProblems, approval_state, decide,
};
use aws_config::SdkConfig;
use aws_sdk_s3::error::SdkError;
use jiff::Timestamp;
use lambda_function::env;
use lambda_http::{
    Body, Request, RequestExt, Response,
    http::{HeaderMap, Method, StatusCode, header},
};
use maud::Markup;
use post::AuditEvent;
use posts_table::{ApprovalItem, Table};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::RwLock;

/// The longest form, in bytes: a caption, an alt text, a note and a reason in an encoding that triples them.
const MAX_BODY: usize = 32 * 1024;

/// The largest picture that the function returns: a response of Lambda has at most 6 MB, and base64 adds a third.
const MAX_PICTURE: u64 = 4_000_000;

/// Why a forged form is refused.
const FORGED: &str = "the form is not from this page";

/// How long the signing keys are cached, in seconds.
const KEYS_AGE: i64 = 300;

/// Responds to a request. An internal error is logged, and the page says that nothing was decided.
pub async fn review(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    request: Request,
) -> Response<Body> {
    let is_head = request.method() == Method::HEAD;
    let answer = match route(clients, config, now, &request).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::error!(error = %format!("{error:#}"), "the request failed");
            Reply::page(StatusCode::SERVICE_UNAVAILABLE, page::unavailable())
        }
    };
    answer.into_response(is_head)
}

/// What the function needs from its environment.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name of the table.
    pub table_name: String,
    /// The bucket of the pictures.
    pub image_bucket: String,
    /// The secret with the signing keys.
    pub review_secret_arn: String,
    /// The public base address of the pages.
    pub review_base_url: String,
}

impl Config {
    /// Reads the environment.
    pub fn from_env() -> Result<Config, env::Error> {
        Ok(Config {
            table_name: env::required("TABLE_NAME")?,
            image_bucket: env::required("IMAGE_BUCKET")?,
            review_secret_arn: env::required("REVIEW_SECRET_ARN")?,
            review_base_url: env::required("REVIEW_BASE_URL")?,
        })
    }
}

/// The clients of the function.
#[derive(Debug)]
pub struct Clients {
    /// The table and Step Functions.
    pub decision: approvals::Clients,
    /// The pictures.
    pub s3: aws_sdk_s3::Client,
    /// The signing keys.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// The cached signing keys, and when they were read.
    keys: RwLock<Option<(Timestamp, Keys)>>,
}

impl Clients {
    /// The clients of an AWS configuration.
    pub fn new(aws: &SdkConfig, config: &Config) -> Clients {
        Clients {
            decision: approvals::Clients {
                table: Table::new(aws_sdk_dynamodb::Client::new(aws), &config.table_name),
                sfn: aws_sdk_sfn::Client::new(aws),
            },
            s3: aws_sdk_s3::Client::new(aws),
            secrets: aws_sdk_secretsmanager::Client::new(aws),
            keys: RwLock::new(None),
        }
    }

    /// Applies `ask` to the signing keys. A `None` is repeated with fresh keys, since they may have been rotated.
    async fn with_keys<T>(
        &self,
        config: &Config,
        now: Timestamp,
        ask: impl Fn(&Keys) -> Option<T>,
    ) -> anyhow::Result<Option<T>> {
        // The maximum age of the keys for a match, and for a mismatch: forged links must not cost a request each.
        for age in [KEYS_AGE, KEYS_AGE / 10] {
            let fresh = |(read, _): &&(Timestamp, Keys)| now.as_second() - read.as_second() < age;
            let kept = self.keys.read().await;
            if let Some((_, keys)) = kept.as_ref().filter(fresh) {
                match ask(keys) {
                    Some(answer) => return Ok(Some(answer)),
                    None => continue,
                }
            }
            drop(kept);
            let keys = Keys::read(&self.secrets, &config.review_secret_arn).await?;
            let answer = ask(&keys);
            *self.keys.write().await = Some((now, keys));
            return Ok(answer);
        }
        Ok(None)
    }
}

/// A response without the headers that all responses have.
struct Reply {
    status: StatusCode,
    content_type: &'static str,
    body: Vec<u8>,
    header: Option<(header::HeaderName, String)>,
}

impl Reply {
    fn page(status: StatusCode, page: Markup) -> Reply {
        Reply {
            status,
            content_type: "text/html; charset=utf-8",
            body: page.into_string().into_bytes(),
            header: None,
        }
    }

    /// The response to every forged, truncated or unknown link and every unknown address.
    fn unknown() -> Reply {
        Reply::page(StatusCode::NOT_FOUND, page::unknown())
    }

    fn wrong_method(allowed: &str) -> Reply {
        let mut reply = Reply::page(StatusCode::METHOD_NOT_ALLOWED, page::wrong_method(allowed));
        reply.header = Some((header::ALLOW, allowed.to_owned()));
        reply
    }

    fn into_response(self, is_head: bool) -> Response<Body> {
        let body = match is_head {
            true => Body::Empty,
            false if self.content_type.starts_with("text/") => {
                Body::Text(String::from_utf8_lossy(&self.body).into_owned())
            }
            false => Body::Binary(self.body),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let fixed = [
            (header::CONTENT_TYPE, self.content_type.to_owned()),
            (header::CACHE_CONTROL, "no-store".to_owned()),
            (
                header::CONTENT_SECURITY_POLICY,
                page::content_security_policy(),
            ),
            (header::REFERRER_POLICY, "no-referrer".to_owned()),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
            (header::X_FRAME_OPTIONS, "DENY".to_owned()),
            (
                header::STRICT_TRANSPORT_SECURITY,
                "max-age=63072000".to_owned(),
            ),
            (
                header::HeaderName::from_static("x-robots-tag"),
                "noindex, nofollow, noarchive".to_owned(),
            ),
        ];
        for (name, value) in fixed.into_iter().chain(self.header) {
            // All values are built here from characters that are valid in a header.
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// The form of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Form {
    answer: String,
    caption: String,
    alt_text: String,
    note: String,
    reason: String,
    /// The hash of the content that the page showed.
    content: String,
    /// The signed value of this link and this content.
    form: String,
}

async fn route(
    clients: &Clients,
    config: &Config,
    now: Timestamp,
    request: &Request,
) -> anyhow::Result<Reply> {
    let path = request.raw_http_path().strip_prefix('/');
    let (page, link_text) = path.and_then(|p| p.split_once('/')).unwrap_or_default();
    let purpose = match page {
        "review" => Purpose::Decide,
        "picture" | "thumbnail" => Purpose::Show,
        _ => return Ok(Reply::unknown()),
    };
    let verified = clients
        .with_keys(config, now, |keys| keys.verify(purpose, link_text))
        .await?;
    let Some(link) = verified else {
        return Ok(Reply::unknown());
    };
    if link.is_over(now) {
        return Ok(Reply::page(StatusCode::GONE, page::link_is_over()));
    }
    let table = &clients.decision.table;
    let Some(approval) = table.approval(&link.post, link.round).await? else {
        return Ok(Reply::unknown());
    };
    let Some(by) = approval.approvers.get(link.approver) else {
        return Ok(Reply::unknown());
    };
    let visit = Visit {
        clients,
        config,
        now,
        link: &link,
        link_text,
        approval: &approval,
        by,
    };
    let method = request.method();
    let is_read = method == Method::GET || method == Method::HEAD;
    match purpose {
        Purpose::Show if is_read => picture(clients, config, &approval, page == "thumbnail").await,
        Purpose::Decide if is_read => visit.show().await,
        Purpose::Decide if method == Method::POST => visit.submit(request).await,
        Purpose::Show => Ok(Reply::wrong_method("GET, HEAD")),
        Purpose::Decide => Ok(Reply::wrong_method("GET, HEAD, POST")),
    }
}

/// A request with a valid link, and what the link resolves to.
struct Visit<'a> {
    clients: &'a Clients,
    config: &'a Config,
    now: Timestamp,
    link: &'a Link,
    link_text: &'a str,
    approval: &'a ApprovalItem,
    /// The approver.
    by: &'a str,
}

impl Visit<'_> {
    /// The page of a link. Changes nothing.
    async fn show(&self) -> anyhow::Result<Reply> {
        let approval = self.approval;
        let post = &self.link.post;
        let state = approval_state(&self.clients.decision, self.now, post, approval).await?;
        Ok(match state {
            ApprovalState::Open => {
                let form = Form {
                    caption: approval.caption.clone(),
                    alt_text: approval.alt_text.clone(),
                    ..Form::default()
                };
                Reply::page(StatusCode::OK, self.open_page(&form, None).await?)
            }
            ApprovalState::Decided(decision) => {
                let picture = self.picture_url().await?;
                Reply::page(StatusCode::OK, page::decided(approval, &decision, &picture))
            }
            ApprovalState::Paused(reason) => {
                let picture = self.picture_url().await?;
                Reply::page(StatusCode::OK, page::paused(approval, &reason, &picture))
            }
            state => refused(&state),
        })
    }

    /// Handles a submitted form.
    async fn submit(&self, request: &Request) -> anyhow::Result<Reply> {
        let form = match form(self.config, request) {
            Ok(form) => form,
            Err((status, why)) => {
                self.audit_refusal("", why).await?;
                return Ok(Reply::page(status, page::no_form()));
            }
        };
        if !self.is_from_page(&form).await? {
            self.audit_refusal(&form.answer, FORGED).await?;
            return Ok(Reply::page(StatusCode::FORBIDDEN, page::no_form()));
        }
        let Some(decision_request) = form.decision_request() else {
            self.audit_refusal(&form.answer, "the form has no valid answer")
                .await?;
            return Ok(Reply::page(StatusCode::BAD_REQUEST, page::no_form()));
        };
        let outcome = decide(
            &self.clients.decision,
            self.now,
            &self.link.post,
            self.approval,
            &form.content,
            self.by,
            &decision_request,
        )
        .await?;
        self.reply(outcome, &form).await
    }

    async fn reply(&self, outcome: DecisionOutcome, form: &Form) -> anyhow::Result<Reply> {
        match outcome {
            DecisionOutcome::Recorded(decision) => {
                tracing::info!(post = %self.link.post, by = self.by, verdict = decision.verdict.name(), "decided");
                let mut reply = Reply::page(StatusCode::SEE_OTHER, page::see_other());
                let address = format!("{}/review/{}", base(self.config), self.link_text);
                reply.header = Some((header::LOCATION, address));
                Ok(reply)
            }
            DecisionOutcome::Refused(state) => {
                self.audit_refusal(&form.answer, page::why(&state)).await?;
                self.refusal(&state).await
            }
            DecisionOutcome::ContentChanged => {
                self.audit_refusal(&form.answer, "the content has changed")
                    .await?;
                Ok(Reply::page(StatusCode::CONFLICT, page::other_content()))
            }
            DecisionOutcome::Invalid(problems) => Ok(Reply::page(
                StatusCode::UNPROCESSABLE_ENTITY,
                self.open_page(form, Some(&problems)).await?,
            )),
        }
    }

    /// The reply to a decision on an approval that is not open.
    async fn refusal(&self, state: &ApprovalState) -> anyhow::Result<Reply> {
        Ok(match state {
            ApprovalState::Decided(decision) => {
                let picture = self.picture_url().await?;
                let page = page::decided_before(self.approval, decision, &picture);
                Reply::page(StatusCode::CONFLICT, page)
            }
            ApprovalState::Paused(reason) => {
                let picture = self.picture_url().await?;
                let page = page::paused(self.approval, reason, &picture);
                Reply::page(StatusCode::LOCKED, page)
            }
            state => refused(state),
        })
    }

    async fn audit_refusal(&self, answer: &str, why: &str) -> anyhow::Result<()> {
        let (post, by) = (&self.link.post, self.by);
        tracing::warn!(%post, by, why, "a request was refused");
        // Clients can send anything as an answer; the valid values are short.
        let answer: String = answer.chars().take(20).collect();
        let details = json!({"by": by, "round": self.link.round, "answer": answer, "why": why});
        let table = &self.clients.decision.table;
        table
            .audit(post, self.now, &AuditEvent::AnswerRefused, &details)
            .await?;
        Ok(())
    }

    async fn is_from_page(&self, form: &Form) -> anyhow::Result<bool> {
        let signed = self
            .clients
            .with_keys(self.config, self.now, |keys| {
                keys.is_form_value(self.link_text, &form.content, &form.form)
                    .then_some(())
            })
            .await?;
        Ok(signed.is_some())
    }

    async fn open_page(
        &self,
        form: &Form,
        problems: Option<&TextProblems>,
    ) -> anyhow::Result<Markup> {
        let picture = self.picture_url().await?;
        let hash = &self.approval.presented_hash;
        let value = self
            .clients
            .with_keys(self.config, self.now, |keys| {
                Some(keys.form_value(self.link_text, hash))
            })
            .await?
            .context("the secret has no signing keys")?;
        Ok(page::open(
            self.approval,
            self.by,
            form,
            &value,
            problems,
            &picture,
        ))
    }

    /// The address of the picture, with a link that cannot decide.
    async fn picture_url(&self) -> anyhow::Result<String> {
        let signed = self
            .clients
            .with_keys(self.config, self.now, |keys| {
                Some(keys.sign(Purpose::Show, self.link))
            })
            .await?
            .context("the secret has no signing keys")?;
        Ok(format!("{}/picture/{signed}", base(self.config)))
    }
}

/// The page of an approval that can no longer be decided.
fn refused(state: &ApprovalState) -> Reply {
    let page = match state {
        ApprovalState::ExecutionEnded(status) => page::execution_ended(status),
        _ => page::closed(),
    };
    Reply::page(StatusCode::GONE, page)
}

impl Form {
    fn decision_request(&self) -> Option<DecisionRequest> {
        match self.answer.as_str() {
            "approve" => Some(DecisionRequest::Approve {
                caption: self.caption.clone(),
                alt_text: self.alt_text.clone(),
            }),
            "regenerate" => Some(DecisionRequest::Regenerate {
                note: self.note.clone(),
            }),
            "reject" => Some(DecisionRequest::Reject {
                reason: self.reason.clone(),
            }),
            _ => None,
        }
    }
}

/// The form of a request, or the status and the reason of a refusal.
fn form(config: &Config, request: &Request) -> Result<Form, (StatusCode, &'static str)> {
    let headers = request.headers();
    if request.body().len() > MAX_BODY {
        return Err((StatusCode::PAYLOAD_TOO_LARGE, "the form is too long"));
    }
    let kind = text(headers, header::CONTENT_TYPE).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/x-www-form-urlencoded") {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "there is no form"));
    }
    // A page without a referrer sends the origin "null", so a foreign one is refused and a missing one is not.
    let foreign_origin =
        text(headers, header::ORIGIN).is_some_and(|sent| sent != "null" && sent != origin(config));
    let foreign_site = text(headers, header::HeaderName::from_static("sec-fetch-site"))
        .is_some_and(|site| site != "same-origin");
    if foreign_origin || foreign_site {
        return Err((StatusCode::FORBIDDEN, FORGED));
    }
    let unreadable = (StatusCode::BAD_REQUEST, "the form cannot be read");
    if !is_utf8(request.body()) {
        return Err(unreadable);
    }
    serde_urlencoded::from_bytes(request.body()).map_err(|_| unreadable)
}

/// Whether a form is UTF-8 after resolving its escapes. The parser would insert replacement characters, which no
/// approver has approved.
fn is_utf8(form: &[u8]) -> bool {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut resolved = Vec::with_capacity(form.len());
    let mut rest = form;
    while let [byte, after @ ..] = rest {
        let escaped = match after {
            [high, low, ..] if *byte == b'%' => digit(*high).zip(digit(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                resolved.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            None => {
                resolved.push(*byte);
                rest = after;
            }
        }
    }
    std::str::from_utf8(&resolved).is_ok()
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

fn base(config: &Config) -> &str {
    config.review_base_url.trim_end_matches('/')
}

/// Scheme, host and port of the base address.
fn origin(config: &Config) -> &str {
    let base = base(config);
    let host = base.find("://").map_or(0, |at| at + 3);
    base[host..]
        .find('/')
        .map_or(base, |path| &base[..host + path])
}

async fn picture(
    clients: &Clients,
    config: &Config,
    approval: &ApprovalItem,
    is_small: bool,
) -> anyhow::Result<Reply> {
    let key = match is_small || approval.image.bytes > MAX_PICTURE {
        true => &approval.image.thumbnail_key,
        false => &approval.image.key,
    };
    let object = clients
        .s3
        .get_object()
        .bucket(&config.image_bucket)
        .key(key)
        .send()
        .await;
    let object = match object {
        Ok(object) => object,
        Err(SdkError::ServiceError(e)) if e.err().is_no_such_key() => {
            return Ok(Reply::unknown());
        }
        Err(error) => return Err(anyhow!(error).context(format!("reading {key}"))),
    };
    let body = object.body.collect().await.context("reading a picture")?;
    Ok(Reply {
        status: StatusCode::OK,
        content_type: "image/jpeg",
        body: body.to_vec(),
        header: None,
    })
}
