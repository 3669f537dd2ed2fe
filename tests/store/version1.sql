BEGIN TRANSACTION;
CREATE TABLE api_tokens (
	id VARCHAR(36) NOT NULL, 
	token_hash VARCHAR(64) NOT NULL, 
	name VARCHAR(63) NOT NULL, 
	subject TEXT NOT NULL, 
	scopes JSON NOT NULL, 
	created_at DOUBLE NOT NULL, 
	expires_at DOUBLE, 
	revoked_at DOUBLE, 
	PRIMARY KEY (id), 
	UNIQUE (token_hash)
);
INSERT INTO "api_tokens" VALUES('5d3f51a2-9a07-4b83-8d6c-2f6b7f1f0a01','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','ci','ana','["exec"]',1000.0,NULL,NULL);
CREATE TABLE id_bases (
	sandbox_id VARCHAR(36) NOT NULL, 
	base BIGINT NOT NULL, 
	PRIMARY KEY (sandbox_id), 
	FOREIGN KEY(sandbox_id) REFERENCES sandboxes (id) ON DELETE CASCADE, 
	UNIQUE (base)
);
INSERT INTO "id_bases" VALUES('0b4a7c6e-6c3f-4a53-9f0e-0f8f3d1f7a11',1025507328);
CREATE TABLE meta (
	"key" VARCHAR(63) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('schema_version','1');
CREATE TABLE sandboxes (
	id VARCHAR(36) NOT NULL, 
	workspace VARCHAR(63) NOT NULL, 
	name VARCHAR(63) NOT NULL, 
	owner TEXT NOT NULL, 
	spec JSON NOT NULL, 
	labels JSON NOT NULL, 
	annotations JSON NOT NULL, 
	phase INTEGER NOT NULL, 
	reason TEXT NOT NULL, 
	exit_code INTEGER, 
	instance_id TEXT NOT NULL, 
	started_at DOUBLE, 
	restart_count INTEGER NOT NULL, 
	created_at DOUBLE NOT NULL, 
	changed_at DOUBLE NOT NULL, 
	deleted_at DOUBLE, 
	host_key TEXT NOT NULL, 
	host_key_private TEXT NOT NULL, 
	host_key_fingerprint TEXT NOT NULL, 
	facts JSON NOT NULL, 
	resource_version BIGINT NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT sandboxes_name UNIQUE (workspace, name)
);
INSERT INTO "sandboxes" VALUES('0b4a7c6e-6c3f-4a53-9f0e-0f8f3d1f7a11','default','demo','ana','{"source": "", "env": {}, "workdir": "", "command": [], "limits": {"cpu": 0.0, "memory": 0, "best_effort": false}, "log_level": ""}','{"team": "a"}','{}',7,'',NULL,'',NULL,0,1000.0,0.0,NULL,'ssh-ed25519 AAAA','PEM','','{}',1);
CREATE TABLE ssh_sessions (
	token_hash VARCHAR(64) NOT NULL, 
	sandbox_id VARCHAR(36) NOT NULL, 
	subject TEXT NOT NULL, 
	target_kind VARCHAR(8) NOT NULL, 
	target_host TEXT NOT NULL, 
	target_port INTEGER NOT NULL, 
	ssh_authorized_key TEXT NOT NULL, 
	max_connections INTEGER NOT NULL, 
	created_at DOUBLE NOT NULL, 
	expires_at DOUBLE, 
	revoked_at DOUBLE, 
	PRIMARY KEY (token_hash), 
	FOREIGN KEY(sandbox_id) REFERENCES sandboxes (id) ON DELETE CASCADE
);
INSERT INTO "ssh_sessions" VALUES('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','0b4a7c6e-6c3f-4a53-9f0e-0f8f3d1f7a11','ana','','',0,'',0,1000.0,NULL,NULL);
CREATE INDEX ssh_sessions_sandbox ON ssh_sessions (sandbox_id);
CREATE INDEX ssh_sessions_subject ON ssh_sessions (subject);
COMMIT;
