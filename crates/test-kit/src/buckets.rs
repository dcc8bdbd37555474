//! Buckets whose versions show what was overwritten.

use aws_sdk_s3::{
    Client,
    types::{BucketVersioningStatus, VersioningConfiguration},
};

/// Creates a bucket with versions.
pub async fn create_versioned(s3: &Client, bucket: &str) -> anyhow::Result<()> {
    s3.create_bucket().bucket(bucket).send().await?;
    let versioning = VersioningConfiguration::builder()
        .status(BucketVersioningStatus::Enabled)
        .build();
    s3.put_bucket_versioning()
        .bucket(bucket)
        .versioning_configuration(versioning)
        .send()
        .await?;
    Ok(())
}

/// The key of every version of every object: a key that was overwritten is there twice.
pub async fn versions(s3: &Client, bucket: &str) -> anyhow::Result<Vec<String>> {
    let listed = s3.list_object_versions().bucket(bucket).send().await?;
    let keys = listed.versions().iter().filter_map(|version| version.key());
    Ok(keys.map(str::to_owned).collect())
}
