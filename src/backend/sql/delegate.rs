//! The macro that makes a public type a backend by the [`Table`](super::table::Table) in it. The
//! types stay apart, since each has its own documentation and constructors.

/// Implements [`Backend`](crate::backend::Backend) and the named capabilities (`owners`, `moves`,
/// `scan`, `changes`) for a type with a table in field 0.
macro_rules! backend_in_sql {
    ($public:ty: $($capability:ident),+) => {
        #[async_trait::async_trait]
        impl crate::backend::Backend for $public {
            async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
                self.0.load(key).await
            }

            async fn load_many(
                &self,
                keys: &[Key],
            ) -> Result<Vec<Result<Option<Stored>, Error>>, Error> {
                self.0.load_many(keys).await
            }

            async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
                self.0.create(key, record).await
            }

            async fn swap(
                &self,
                key: &Key,
                seen: &Revision,
                record: &Record,
            ) -> Result<Outcome<Revision>, Error> {
                self.0.swap(key, seen, record).await
            }

            async fn touch(
                &self,
                key: &Key,
                seen: &Revision,
                until: Expiry,
            ) -> Result<Outcome<Revision>, Error> {
                self.0.touch(key, seen, until).await
            }

            async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
                self.0.remove(key, seen).await
            }

            fn layout(&self) -> Layout {
                self.0.layout()
            }

            // Also the rows of gorilla's packages have one.
            fn keeps_expiries(&self) -> bool {
                true
            }

            $(backend_in_sql!(@offer $capability);)+
        }
        $(backend_in_sql!(@implement $capability for $public);)+
    };
    (@offer owners) => {
        fn owners(&self) -> Option<&dyn crate::backend::Owners> {
            Some(self)
        }
    };
    (@offer moves) => {
        fn moves(&self) -> Option<&dyn crate::backend::Moves> {
            Some(self)
        }
    };
    (@offer scan) => {
        fn scan(&self) -> Option<&dyn crate::backend::Scan> {
            Some(self)
        }
    };
    (@offer changes) => {
        fn changes(&self) -> Option<&dyn crate::backend::Changes> {
            self.0.engine.notifies.then_some(self)
        }
    };
    (@implement changes for $public:ty) => {};
    (@implement owners for $public:ty) => {
        #[async_trait::async_trait]
        impl crate::backend::Generations for $public {
            async fn generation(&self, owner: &OwnerName) -> Result<Option<Generation>, Error> {
                self.0.generation(owner).await
            }

            async fn extend(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, Error> {
                self.0.extend(owner, until).await
            }

            async fn revoke(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, Error> {
                self.0.revoke(owner, until, None).await
            }
        }

        #[async_trait::async_trait]
        impl crate::backend::Owners for $public {
            async fn begin(
                &self,
                owner: &OwnerName,
                until: Expiry,
                _: &Key,
            ) -> Result<Login, Error> {
                self.0.begin(owner, until).await
            }

            async fn revoke_except(
                &self,
                owner: &OwnerName,
                until: Expiry,
                keep: &Login,
            ) -> Result<Generation, Error> {
                self.0.revoke(owner, until, Some(keep)).await
            }

            async fn keys(&self, owner: &OwnerName) -> Result<Vec<Key>, Error> {
                self.0.keys(owner).await
            }
        }
    };
    (@implement moves for $public:ty) => {
        #[async_trait::async_trait]
        impl crate::backend::Moves for $public {
            async fn move_to(
                &self,
                key: &Key,
                seen: &Revision,
                to: &Key,
                record: &Record,
            ) -> Result<Outcome<Revision>, Error> {
                self.0.move_to(key, seen, to, record).await
            }
        }
    };
    (@implement scan for $public:ty) => {
        #[async_trait::async_trait]
        impl crate::backend::Scan for $public {
            async fn page(&self, after: Option<&Key>, limit: usize) -> Result<Page, Error> {
                self.0.page(after, limit).await
            }

            async fn purge(&self, limit: usize) -> Result<Purged, Error> {
                self.0.purge(limit).await
            }
        }
    };
}

pub(super) use backend_in_sql;
