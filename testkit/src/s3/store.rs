//! The objects: those of `s3s-fs`, and the list of unfinished uploads, which it does not have.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use s3s::auth::SimpleAuth;
use s3s::dto::*;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Request, S3Response, S3Result};
use s3s_fs::FileSystem;

/// Multipart uploads that were neither completed nor aborted.
#[derive(Clone, Default)]
pub struct Uploads(Arc<Mutex<Vec<Upload>>>);

struct Upload {
    key: String,
    id: String,
    began_at: SystemTime,
}

impl Uploads {
    pub fn keys(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|upload| upload.key.clone()).collect()
    }

    pub fn age(&self, age: Duration) {
        for upload in self.0.lock().unwrap().iter_mut() {
            upload.began_at = SystemTime::now() - age;
        }
    }

    fn forget(&self, id: &str) {
        self.0.lock().unwrap().retain(|upload| upload.id != id);
    }
}

/// The S3 service over a folder, each bucket a folder in it.
pub fn service(folder: &Path, uploads: &Uploads) -> S3Service {
    let files = FileSystem::new(folder).unwrap();
    let mut builder = S3ServiceBuilder::new(Store { files, uploads: uploads.clone() });
    builder.set_auth(SimpleAuth::from_single(super::ACCESS_KEY, super::SECRET_KEY));
    builder.build()
}

struct Store {
    files: FileSystem,
    uploads: Uploads,
}

/// Verbs that are those of `s3s-fs`.
macro_rules! delegate {
    ($($verb:ident($input:ty) -> $output:ty;)*) => {
        $(
            fn $verb<'own, 'run>(
                &'own self,
                request: S3Request<$input>,
            ) -> std::pin::Pin<Box<dyn Future<Output = S3Result<S3Response<$output>>> + Send + 'run>>
            where
                'own: 'run,
                Self: 'run,
            {
                self.files.$verb(request)
            }
        )*
    };
}

#[async_trait::async_trait]
impl S3 for Store {
    delegate! {
        head_bucket(HeadBucketInput) -> HeadBucketOutput;
        put_object(PutObjectInput) -> PutObjectOutput;
        get_object(GetObjectInput) -> GetObjectOutput;
        head_object(HeadObjectInput) -> HeadObjectOutput;
        delete_object(DeleteObjectInput) -> DeleteObjectOutput;
        list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output;
        upload_part(UploadPartInput) -> UploadPartOutput;
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let created = self.files.create_multipart_upload(request).await?;
        if let (Some(key), Some(id)) = (&created.output.key, &created.output.upload_id) {
            let upload = Upload { key: key.clone(), id: id.clone(), began_at: SystemTime::now() };
            self.uploads.0.lock().unwrap().push(upload);
        }
        Ok(created)
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let id = request.input.upload_id.clone();
        let completed = self.files.complete_multipart_upload(request).await?;
        self.uploads.forget(&id);
        Ok(completed)
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let id = request.input.upload_id.clone();
        let aborted = self.files.abort_multipart_upload(request).await?;
        self.uploads.forget(&id);
        Ok(aborted)
    }

    /// In one page.
    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let prefix = request.input.prefix.clone().unwrap_or_default();
        let uploads = self.uploads.0.lock().unwrap();
        let found = uploads.iter().filter(|upload| upload.key.starts_with(&prefix));
        let uploads = found.map(|upload| MultipartUpload {
            key: Some(upload.key.clone()),
            upload_id: Some(upload.id.clone()),
            initiated: Some(upload.began_at.into()),
            ..Default::default()
        });
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(request.input.bucket),
            is_truncated: Some(false),
            uploads: Some(uploads.collect()),
            ..Default::default()
        }))
    }
}
