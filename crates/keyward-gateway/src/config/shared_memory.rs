//! Resolves `shared_memory` in `[gateway.dpop]`: where gateways remember used proofs together.

use std::sync::Arc;

use keyward::{SharedReplaySettings, WhenDown};
use toml::Spanned;

use super::raw_gateway::{RawSharedMemory, RawWhenDown};
use super::{ConfigError, ConfigWarning, Source};
use crate::shared_proofs::{RedisProofs, RedisUrlError, SharedMemory};

impl Source<'_> {
    /// Nothing is connected for it: a gateway starts while its Redis is down.
    pub(super) fn shared_memory(
        &mut self,
        raw: Spanned<RawSharedMemory>,
        has_secret: bool,
    ) -> Result<SharedMemory, ConfigError> {
        if !has_secret {
            let why = "gateways that share a memory of proofs have to share secret_file, too: without it, each has its \
                       own names for them, and none knows what another one remembers";
            return Err(self.error(&raw.span(), why));
        }
        let RawSharedMemory { redis_url_file: file, ca_file, timeout, when_down } = raw.into_inner();
        let url = self.secret_line(&file)?;
        let anchors = ca_file.as_ref().map(|file| self.read(file)).transpose()?;
        let redis = RedisProofs::new(url, anchors).map_err(|fault| {
            let file = ca_file.as_ref().filter(|_| fault == RedisUrlError::Anchors).unwrap_or(&file);
            self.file_error(file, fault)
        })?;
        if redis.is_in_the_clear() {
            let path = self.file_path(file.get_ref());
            self.warnings.push(ConfigWarning::RedisInTheClear { path });
        }
        let mut settings = SharedReplaySettings::default();
        settings.timeout = self.time_or(timeout.as_ref(), settings.timeout)?;
        if when_down == Some(RawWhenDown::Local) {
            settings.when_down = WhenDown::Local;
        }
        Ok(SharedMemory { redis: Arc::new(redis), settings })
    }
}
