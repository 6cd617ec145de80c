//! The one connection to the engine that the allocator's tasks share.
//!
//! Invariants: connected on first use and kept, because every request dials anew; what went wrong
//! last is known until something works. Not here: requests.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::docker::engine::{Engine, EngineError};

/// The shared connection. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EngineLink {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    address: String,
    engine: OnceCell<Engine>,
    trouble: Mutex<Option<EngineError>>,
}

impl EngineLink {
    /// A link that has not connected yet.
    #[must_use]
    pub fn new(address: &str) -> Self {
        Self {
            inner: Arc::new(Inner {
                address: address.to_owned(),
                engine: OnceCell::new(),
                trouble: Mutex::default(),
            }),
        }
    }

    /// The engine's address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.inner.address
    }

    /// The engine.
    ///
    /// # Errors
    /// When it could not be connected to, ever yet.
    pub async fn get(&self) -> Result<&Engine, EngineError> {
        let connect = || Engine::connect(&self.inner.address);
        let engine = self.inner.engine.get_or_try_init(connect).await;
        engine.inspect_err(|error| self.note(Some(error)))
    }

    /// Remembers how the last question to the engine went.
    pub fn note(&self, error: Option<&EngineError>) {
        let mut trouble = self
            .inner
            .trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let was = trouble.is_some();
        match error {
            Some(error) if error.is_down() => {
                if !was {
                    tracing::error!(code = error.code(), %error, "the engine is away");
                }
                *trouble = Some(error.clone());
            }
            Some(_) => {}
            None => {
                if was {
                    tracing::info!("the engine is back");
                }
                *trouble = None;
            }
        }
    }

    /// What is wrong with the engine, when something is.
    #[must_use]
    pub fn trouble(&self) -> Option<EngineError> {
        self.inner
            .trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
