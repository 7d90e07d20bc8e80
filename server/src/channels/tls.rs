//! The cryptography behind https, chosen once a process.

/// Makes ring the provider of TLS for this process. Every maker of an HTTP client calls it first, since the
/// client is built without one and would panic; calls after the first change nothing.
pub fn install_crypto_provider() {
    // The error says that a provider is installed already, which is what is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
