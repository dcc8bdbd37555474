//! The deployed binary of a function.

#![expect(clippy::expect_used, reason = "in a test, a panic is the failure")]

use std::process::Command;

use fakes::lambda;
use serde_json::Value;

/// The binary of a function, with the environment variables that it needs.
#[derive(Clone, Copy, Debug)]
pub struct Binary<'a> {
    /// `env!("CARGO_BIN_EXE_…")`.
    pub path: &'a str,
    /// The names and values of the variables.
    pub environment: &'a [(&'a str, &'a str)],
}

impl Binary<'_> {
    /// Asserts that the binary answers each payload with `InvalidInput` and a message that contains the text beside it.
    pub async fn assert_names_what_its_input_lacks(&self, rows: &[(Value, &str)]) {
        let payloads: Vec<Value> = rows.iter().map(|(payload, _)| payload.clone()).collect();
        let answers = lambda::invoke(self.path, self.environment, &payloads)
            .await
            .expect("the function answers");
        assert_eq!(answers.len(), rows.len());
        for ((payload, text), answer) in rows.iter().zip(answers) {
            let answer = answer.body;
            assert_eq!(answer["errorType"], "InvalidInput", "{payload}: {answer}");
            let message = answer["errorMessage"].as_str().unwrap_or_default();
            assert!(message.contains(text), "{payload}: {message}");
        }
    }

    /// Asserts that, without any of its environment variables, the binary exits and names the variable.
    pub fn assert_names_missing_variables(&self) {
        for (missing, _) in self.environment {
            let others = self.environment.iter().copied();
            let output = Command::new(self.path)
                .env_clear()
                .envs(others.filter(|(name, _)| name != missing))
                .output()
                .expect("the function starts");
            assert_eq!(output.status.code(), Some(1), "{missing}");
            let printed = String::from_utf8_lossy(&output.stderr);
            assert!(printed.contains(missing), "{missing}: {printed}");
            assert!(!printed.contains("panicked"), "{printed}");
        }
    }
}
