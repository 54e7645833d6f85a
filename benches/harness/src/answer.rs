//! What a peer's program prints: one line of JSON.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The samples of each metric, or why there are none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Samples by metric.
    #[serde(default)]
    pub metrics: BTreeMap<String, Vec<f64>>,
    /// Why the peer does not do this case: nothing that a user could do with it comes near.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<String>,
    /// The version of the library.
    #[serde(default)]
    pub version: String,
}

impl Answer {
    /// One metric.
    pub fn one(name: &str, samples: Vec<f64>) -> Answer {
        Answer::default().and(name, samples)
    }

    /// One more metric.
    pub fn and(mut self, name: &str, samples: Vec<f64>) -> Answer {
        assert!(samples.iter().all(|sample| sample.is_finite()), "{name}: {samples:?}");
        self.metrics.insert(name.to_owned(), samples);
        self
    }

    /// The peer does not do this.
    pub fn absent(reason: impl Into<String>) -> Answer {
        Answer { absent: Some(reason.into()), ..Answer::default() }
    }
}
