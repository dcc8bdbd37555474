//! Where a deployment and its executions are on AWS.

/// The environment of a deployment on AWS, by the name of its table, `daily-post-<environment>`.
pub fn env(table_name: &str) -> Option<String> {
    table_name.strip_prefix("daily-post-").map(str::to_owned)
}

/// The page of an execution in the AWS console, if the ARN is one of Step Functions.
pub fn console_url(execution: &str) -> Option<String> {
    let parts: Vec<&str> = execution.split(':').collect();
    let ["arn", partition, "states", region, _, "execution", ..] = parts[..] else {
        return None;
    };
    let domain = match partition {
        "aws" => "console.aws.amazon.com",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        "aws-cn" => "console.amazonaws.cn",
        _ => return None,
    };
    Some(format!(
        "https://{region}.{domain}/states/home?region={region}#/v2/executions/details/{execution}"
    ))
}
