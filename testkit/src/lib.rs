//! Real servers for tests, each started by the test that needs it and gone with it: PostgreSQL from the installed
//! programs, an S3 server that can be made to fail, a DNS server.
