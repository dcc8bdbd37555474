//! HTTPS clients with compiled-in root certificates.
//!
//! Reading and parsing the roughly 140 certificates of the operating system takes most of the CPU time of a function's
//! first request, and a function needs few of them.
//!
//! - The AWS clients trust the five Amazon roots that [every AWS endpoint chains to](https://www.amazontrust.com/repository/)
//!   (`amazon-roots.pem`; a test compares the file with Mozilla's list).
//! - The clients of OpenAI and X trust Mozilla's list as constants (`webpki-roots`), which need no parsing.
//!
//! Both are set up at the first request, not when the process starts.
//! A proxy that signs its own certificates is therefore not trusted; the functions run in AWS, where there is none.

use std::sync::Arc;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// The roots of Amazon Trust Services, PEM.
const AMAZON_ROOTS: &[u8] = include_bytes!("../amazon-roots.pem");

/// The configuration of the AWS clients: region, credentials and endpoint from the environment, this module's HTTPS
/// client, and a fixed behavior version.
pub async fn aws_config() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(aws_http_client())
        .load()
        .await
}

/// The HTTP client of the AWS SDK with Amazon's roots; it builds its TLS configuration at the first request.
pub fn aws_http_client() -> SharedHttpClient {
    let roots = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
    let builder = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
    match TlsContext::builder().with_trust_store(roots).build() {
        Ok(context) => builder.tls_context(context).build_https(),
        // The context can only fail on roots that do not parse, and a test parses ours.
        Err(_) => builder.build_https(),
    }
}

/// A `reqwest` client for OpenAI and X. The caller sets the timeouts.
///
/// It follows no redirects and retries nothing: retries are decided in the state machine and nowhere else.
/// Building one takes a millisecond, so callers build it at their first request.
pub fn client_builder() -> reqwest::ClientBuilder {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = reqwest::Client::builder()
        .user_agent(concat!("spooky-days/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never());
    match rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
    {
        Ok(config) => builder
            .tls_backend_preconfigured(config.with_root_certificates(roots).with_no_client_auth()),
        // Ring supports the default versions, which a test shows; without them `build` reports the error.
        Err(_) => builder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::{CertificateDer, pem::PemObject};

    #[test]
    fn the_amazon_roots_are_the_ones_on_mozillas_list() {
        let ours: Vec<_> = CertificateDer::pem_slice_iter(AMAZON_ROOTS)
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(ours.len(), 5);
        for root in &ours {
            assert!(webpki_root_certs::TLS_SERVER_ROOT_CERTS.contains(root));
            rustls::RootCertStore::empty().add(root.clone()).unwrap();
        }
    }

    #[test]
    fn the_clients_build() {
        client_builder().build().unwrap();
        let roots = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
        TlsContext::builder()
            .with_trust_store(roots)
            .build()
            .unwrap();
        aws_http_client();
    }
}
