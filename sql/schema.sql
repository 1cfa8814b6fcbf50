-- The schema that the migrations make. Generated: go test ./sql -run TestSchemaFile -update


CREATE DOMAIN public.uuid_v7 AS uuid DEFAULT ((((lpad(to_hex((floor((EXTRACT(epoch FROM statement_timestamp()) * (1000)::numeric)))::bigint), 12, '0'::text) || '7'::text) || lpad(to_hex((floor((mod(EXTRACT(microseconds FROM statement_timestamp()), (1000)::numeric) * 4.096)))::integer), 3, '0'::text)) || substr((gen_random_uuid())::text, 20)))::uuid;

CREATE TABLE public.admin_tokens (
    id uuid NOT NULL,
    name text NOT NULL,
    token_hash bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone
);

CREATE TABLE public.audit (
    user_id uuid DEFAULT '00000000-0000-0000-0000-000000000000'::uuid NOT NULL,
    id public.uuid_v7 NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    object text NOT NULL,
    before jsonb,
    after jsonb
);

CREATE TABLE public.audit_reasons (
    user_id uuid NOT NULL,
    audit_id uuid NOT NULL,
    reason text NOT NULL,
    CONSTRAINT audit_reasons_reason_check CHECK ((length(reason) <= 1000))
);

CREATE TABLE public.billing_erased (
    digest bytea NOT NULL,
    CONSTRAINT billing_erased_digest_check CHECK ((length(digest) = 32))
);

CREATE TABLE public.billing_events (
    source text NOT NULL,
    id text NOT NULL,
    customer text NOT NULL,
    subject text NOT NULL,
    ties text[] DEFAULT '{}'::text[] NOT NULL,
    at timestamp with time zone NOT NULL,
    rank integer NOT NULL,
    facts jsonb NOT NULL,
    received_at timestamp with time zone NOT NULL,
    user_id uuid,
    CONSTRAINT billing_events_id_check CHECK (((length(id) >= 1) AND (length(id) <= 255))),
    CONSTRAINT billing_events_source_check CHECK ((source = ANY (ARRAY['stripe'::text, 'webhook'::text])))
);

CREATE TABLE public.devices (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    jkt text NOT NULL,
    linked_at timestamp with time zone NOT NULL,
    last_reconciled_at timestamp with time zone,
    removed_at timestamp with time zone,
    place text DEFAULT 'held'::text NOT NULL,
    lineage_n bigint DEFAULT 0 NOT NULL,
    lineage_parent bytea DEFAULT '\x00000000000000000000000000000000'::bytea NOT NULL,
    forked_at timestamp with time zone,
    revision bigint NOT NULL,
    document_bound timestamp with time zone,
    document_revision bigint,
    status_list integer NOT NULL,
    status_idx integer NOT NULL,
    ledger_seq bigint DEFAULT 0 NOT NULL,
    ledger_hash bytea
)
WITH (fillfactor='80');

CREATE TABLE public.directory (
    kind text NOT NULL,
    key text NOT NULL,
    user_id uuid NOT NULL
);

CREATE TABLE public.enrolments (
    user_id uuid NOT NULL,
    code_hash bytea NOT NULL,
    kind text DEFAULT 'enrolment'::text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT enrolments_kind_check CHECK ((kind = ANY (ARRAY['enrolment'::text, 'recovery'::text])))
);

CREATE TABLE public.idempotency (
    actor text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    body_hash bytea NOT NULL,
    status smallint,
    answer bytea,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT idempotency_check CHECK (((status IS NULL) = (answer IS NULL)))
);

CREATE TABLE public.keyset_marks (
    root text NOT NULL,
    place bigint NOT NULL,
    version bigint NOT NULL,
    issuer text NOT NULL,
    digest text NOT NULL,
    CONSTRAINT keyset_marks_version_check CHECK ((version > 0))
);

ALTER TABLE public.keyset_marks ALTER COLUMN place ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.keyset_marks_place_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.ledger_accepted (
    user_id uuid NOT NULL,
    feature text NOT NULL,
    acts bigint NOT NULL
);

CREATE TABLE public.ledger_entries (
    user_id uuid NOT NULL,
    device_id uuid NOT NULL,
    seq bigint NOT NULL,
    hash bytea NOT NULL,
    entry bytea NOT NULL,
    verdict text NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    "position" bigint,
    received_at timestamp with time zone NOT NULL,
    CONSTRAINT ledger_entries_seq_check CHECK ((seq > 0)),
    CONSTRAINT ledger_entries_verdict_check CHECK ((verdict = ANY (ARRAY['accepted'::text, 'rejected'::text, 'superseded'::text])))
);

CREATE TABLE public.notes (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    author text NOT NULL,
    text text NOT NULL,
    CONSTRAINT notes_text_check CHECK (((length(text) >= 1) AND (length(text) <= 2000)))
);

CREATE TABLE public.pack_keys (
    feature text NOT NULL,
    epoch bigint NOT NULL,
    key_id text NOT NULL,
    wrapped bytea NOT NULL,
    made_at timestamp with time zone NOT NULL,
    CONSTRAINT pack_keys_epoch_check CHECK ((epoch > 0))
);

CREATE TABLE public.passkeys (
    user_id uuid NOT NULL,
    credential_id bytea NOT NULL,
    rp_id text NOT NULL,
    name text NOT NULL,
    public_key bytea NOT NULL,
    public_jwk jsonb NOT NULL,
    aaguid uuid NOT NULL,
    transports text[] DEFAULT '{}'::text[] NOT NULL,
    sign_count bigint NOT NULL,
    backup_eligible boolean NOT NULL,
    backup_state boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone,
    CONSTRAINT passkeys_name_check CHECK (((length(name) >= 1) AND (length(name) <= 100)))
)
WITH (fillfactor='80');

CREATE TABLE public.past_plans (
    id text NOT NULL,
    until timestamp with time zone NOT NULL,
    plan jsonb NOT NULL
);

CREATE TABLE public.past_subscriptions (
    user_id uuid NOT NULL,
    until timestamp with time zone NOT NULL,
    subscriptions jsonb NOT NULL
);

CREATE TABLE public.plans (
    id text NOT NULL,
    features jsonb NOT NULL,
    window_seconds bigint,
    grace_seconds bigint NOT NULL,
    device_limit integer NOT NULL,
    rank integer NOT NULL,
    raising_after uuid,
    losing_after uuid,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT plans_check CHECK (((losing_after IS NULL) OR (raising_after IS NOT NULL))),
    CONSTRAINT plans_device_limit_check CHECK ((device_limit > 0)),
    CONSTRAINT plans_grace_seconds_check CHECK ((grace_seconds >= 0)),
    CONSTRAINT plans_id_check CHECK ((id ~ '^[a-z0-9][a-z0-9_-]{0,63}$'::text)),
    CONSTRAINT plans_window_seconds_check CHECK ((window_seconds > 0))
);

CREATE TABLE public.recovery_codes (
    user_id uuid NOT NULL,
    lookup text NOT NULL,
    secret_hash text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT recovery_codes_lookup_check CHECK ((length(lookup) = 8))
);

CREATE TABLE public.schema_compatibility (
    one boolean DEFAULT true NOT NULL,
    oldest bigint NOT NULL,
    CONSTRAINT schema_compatibility_one_check CHECK (one)
);

CREATE TABLE public.secrets (
    name text NOT NULL,
    value bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.sessions (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    token_hash bytea NOT NULL,
    credential_id bytea,
    origin text DEFAULT ''::text NOT NULL,
    user_agent text DEFAULT ''::text NOT NULL,
    told_from timestamp with time zone,
    authenticated_at timestamp with time zone NOT NULL,
    last_active_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
)
WITH (fillfactor='80');

CREATE TABLE public.spent (
    id uuid NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

CREATE TABLE public.staff (
    user_id uuid NOT NULL,
    role text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT staff_role_check CHECK ((role = ANY (ARRAY['support'::text, 'admin'::text])))
);

CREATE TABLE public.status_changes (
    list integer NOT NULL,
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE public.status_entries (
    list integer NOT NULL,
    idx integer NOT NULL,
    status smallint DEFAULT 0 NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT status_entries_idx_check CHECK (((idx >= 0) AND (idx <= 1048575))),
    CONSTRAINT status_entries_list_check CHECK ((list >= 0)),
    CONSTRAINT status_entries_status_check CHECK ((status = ANY (ARRAY[0, 1, 2])))
);

CREATE TABLE public.subscriptions (
    user_id uuid NOT NULL,
    id text NOT NULL,
    plan text NOT NULL,
    state text NOT NULL,
    paid_through timestamp with time zone NOT NULL,
    ends boolean DEFAULT false NOT NULL,
    revoked boolean DEFAULT false NOT NULL,
    suspended boolean DEFAULT false NOT NULL,
    withdrawn_at timestamp with time zone,
    disputes jsonb DEFAULT '[]'::jsonb NOT NULL,
    withdrawn boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone,
    expiring_told timestamp with time zone,
    grace_told timestamp with time zone,
    CONSTRAINT subscriptions_id_check CHECK ((id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$'::text)),
    CONSTRAINT subscriptions_state_check CHECK ((state = ANY (ARRAY['trialing'::text, 'active'::text, 'past_due'::text, 'cancelled'::text])))
);

CREATE TABLE public.users (
    id uuid NOT NULL,
    name text NOT NULL,
    words text[] DEFAULT '{}'::text[] NOT NULL COLLATE pg_catalog."C",
    parts text[] DEFAULT '{}'::text[] NOT NULL COLLATE pg_catalog."C",
    external_id text,
    revision bigint DEFAULT 1 NOT NULL,
    actions bigint DEFAULT 0 NOT NULL,
    vault_epoch bigint DEFAULT 1 NOT NULL,
    stored_until timestamp with time zone,
    trial_started_at timestamp with time zone,
    limit_told_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT users_external_id_check CHECK (((length(external_id) >= 1) AND (length(external_id) <= 200))),
    CONSTRAINT users_name_check CHECK (((length(name) >= 1) AND (length(name) <= 100)))
);

CREATE TABLE public.vault_keys (
    user_id uuid NOT NULL,
    epoch bigint NOT NULL,
    key_id text NOT NULL,
    wrapped bytea NOT NULL,
    made_at timestamp with time zone NOT NULL,
    CONSTRAINT vault_keys_epoch_check CHECK ((epoch > 0))
);

CREATE TABLE public.webhook_deliveries (
    user_id uuid NOT NULL,
    id public.uuid_v7 NOT NULL,
    endpoint bigint NOT NULL,
    message_id uuid NOT NULL,
    type text NOT NULL,
    payload json NOT NULL,
    created_at timestamp with time zone NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone NOT NULL,
    last_status smallint,
    last_error text,
    failing_since timestamp with time zone,
    delivered_at timestamp with time zone,
    CONSTRAINT webhook_deliveries_check CHECK (((state = 'delivered'::text) = (delivered_at IS NOT NULL))),
    CONSTRAINT webhook_deliveries_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'delivered'::text, 'dead'::text])))
);

CREATE TABLE public.webhook_endpoints (
    id bigint NOT NULL,
    digest bytea NOT NULL,
    shown text NOT NULL,
    active boolean NOT NULL
);

ALTER TABLE public.webhook_endpoints ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.webhook_endpoints_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY public.admin_tokens
    ADD CONSTRAINT admin_tokens_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.admin_tokens
    ADD CONSTRAINT admin_tokens_token_hash_key UNIQUE (token_hash);

ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (user_id, id);

ALTER TABLE ONLY public.audit_reasons
    ADD CONSTRAINT audit_reasons_pkey PRIMARY KEY (user_id, audit_id);

ALTER TABLE ONLY public.billing_erased
    ADD CONSTRAINT billing_erased_pkey PRIMARY KEY (digest);

ALTER TABLE ONLY public.billing_events
    ADD CONSTRAINT billing_events_pkey PRIMARY KEY (source, id);

ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_pkey PRIMARY KEY (user_id, id);

ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_user_id_jkt_key UNIQUE (user_id, jkt);

ALTER TABLE ONLY public.directory
    ADD CONSTRAINT directory_pkey PRIMARY KEY (kind, key);

ALTER TABLE ONLY public.enrolments
    ADD CONSTRAINT enrolments_pkey PRIMARY KEY (user_id, code_hash);

ALTER TABLE ONLY public.idempotency
    ADD CONSTRAINT idempotency_pkey PRIMARY KEY (actor, route, key);

ALTER TABLE ONLY public.keyset_marks
    ADD CONSTRAINT keyset_marks_pkey PRIMARY KEY (root);

ALTER TABLE ONLY public.ledger_accepted
    ADD CONSTRAINT ledger_accepted_pkey PRIMARY KEY (user_id, feature);

ALTER TABLE ONLY public.ledger_entries
    ADD CONSTRAINT ledger_entries_pkey PRIMARY KEY (user_id, device_id, seq, hash);

ALTER TABLE ONLY public.ledger_entries
    ADD CONSTRAINT ledger_entries_user_id_position_key UNIQUE (user_id, "position");

ALTER TABLE ONLY public.notes
    ADD CONSTRAINT notes_pkey PRIMARY KEY (user_id, id);

ALTER TABLE ONLY public.pack_keys
    ADD CONSTRAINT pack_keys_pkey PRIMARY KEY (feature, epoch);

ALTER TABLE ONLY public.passkeys
    ADD CONSTRAINT passkeys_pkey PRIMARY KEY (user_id, credential_id);

ALTER TABLE ONLY public.past_plans
    ADD CONSTRAINT past_plans_pkey PRIMARY KEY (id, until);

ALTER TABLE ONLY public.past_subscriptions
    ADD CONSTRAINT past_subscriptions_pkey PRIMARY KEY (user_id, until);

ALTER TABLE ONLY public.plans
    ADD CONSTRAINT plans_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.recovery_codes
    ADD CONSTRAINT recovery_codes_pkey PRIMARY KEY (user_id, lookup);

ALTER TABLE ONLY public.schema_compatibility
    ADD CONSTRAINT schema_compatibility_pkey PRIMARY KEY (one);

ALTER TABLE ONLY public.secrets
    ADD CONSTRAINT secrets_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (user_id, id);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_user_id_token_hash_key UNIQUE (user_id, token_hash);

ALTER TABLE ONLY public.spent
    ADD CONSTRAINT spent_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.staff
    ADD CONSTRAINT staff_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY public.status_changes
    ADD CONSTRAINT status_changes_pkey PRIMARY KEY (list, id);

ALTER TABLE ONLY public.status_entries
    ADD CONSTRAINT status_entries_pkey PRIMARY KEY (list, idx);

ALTER TABLE ONLY public.subscriptions
    ADD CONSTRAINT subscriptions_pkey PRIMARY KEY (user_id, id);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.vault_keys
    ADD CONSTRAINT vault_keys_pkey PRIMARY KEY (user_id, epoch);

ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (user_id, id);

ALTER TABLE ONLY public.webhook_endpoints
    ADD CONSTRAINT webhook_endpoints_digest_key UNIQUE (digest);

ALTER TABLE ONLY public.webhook_endpoints
    ADD CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (id);

CREATE INDEX audit_by_action ON public.audit USING btree (action, id);

CREATE INDEX audit_by_actor ON public.audit USING btree (actor, id);

CREATE INDEX audit_by_id ON public.audit USING btree (id);

CREATE INDEX audit_by_time ON public.audit USING brin (at);

CREATE UNIQUE INDEX audit_gaps_closed ON public.audit USING btree (user_id, object) WHERE (action = 'gap.closed'::text);

CREATE INDEX audit_notices ON public.audit USING btree (user_id, at) WHERE (action = ANY (ARRAY['passkey.rejected'::text, 'account.recovered'::text, 'device.limit_reached'::text]));

CREATE INDEX billing_events_by_customer ON public.billing_events USING btree (source, customer);

CREATE INDEX billing_events_by_tie ON public.billing_events USING gin (ties);

CREATE INDEX billing_events_by_user ON public.billing_events USING btree (user_id);

CREATE INDEX billing_events_of_nobody ON public.billing_events USING btree (received_at) WHERE (user_id IS NULL);

CREATE INDEX devices_by_status ON public.devices USING btree (status_list, status_idx);

CREATE INDEX devices_removed ON public.devices USING btree (removed_at) WHERE (removed_at IS NOT NULL);

CREATE INDEX directory_by_user ON public.directory USING btree (user_id);

CREATE INDEX enrolments_by_end ON public.enrolments USING btree (expires_at);

CREATE INDEX idempotency_by_age ON public.idempotency USING btree (created_at);

CREATE INDEX ledger_entries_by_time ON public.ledger_entries USING btree (user_id, received_at);

CREATE INDEX past_plans_by_end ON public.past_plans USING btree (until);

CREATE INDEX past_subscriptions_by_end ON public.past_subscriptions USING btree (until);

CREATE INDEX sessions_by_end ON public.sessions USING btree (expires_at);

CREATE INDEX sessions_by_use ON public.sessions USING btree (last_active_at);

CREATE INDEX spent_by_end ON public.spent USING btree (expires_at);

CREATE INDEX status_changes_by_age ON public.status_changes USING btree (at);

CREATE INDEX status_entries_by_end ON public.status_entries USING btree (list, ended_at) WHERE (ended_at IS NOT NULL);

CREATE INDEX status_entries_withdrawn ON public.status_entries USING btree (list, idx, status) WHERE (status <> 0);

CREATE INDEX subscriptions_by_class ON public.subscriptions USING btree (plan, state, ends, withdrawn, paid_through) INCLUDE (user_id);

CREATE INDEX subscriptions_by_holder ON public.subscriptions USING btree (plan, user_id);

CREATE INDEX subscriptions_due ON public.subscriptions USING btree (due_at) WHERE (due_at IS NOT NULL);

CREATE INDEX users_by_name ON public.users USING btree (words, id);

CREATE INDEX users_by_part ON public.users USING gin (array_to_tsvector(parts)) WITH (fastupdate=off);

CREATE INDEX users_by_sign_up ON public.users USING btree (created_at, id);

CREATE INDEX webhook_deliveries_by_id ON public.webhook_deliveries USING btree (id);

CREATE INDEX webhook_deliveries_by_state ON public.webhook_deliveries USING btree (state, id);

CREATE INDEX webhook_deliveries_done ON public.webhook_deliveries USING btree (delivered_at) WHERE (state = 'delivered'::text);

CREATE INDEX webhook_deliveries_due ON public.webhook_deliveries USING btree (endpoint, next_attempt_at, id) WHERE (state = 'pending'::text);

ALTER TABLE ONLY public.audit_reasons
    ADD CONSTRAINT audit_reasons_user_id_audit_id_fkey FOREIGN KEY (user_id, audit_id) REFERENCES public.audit(user_id, id);

ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.enrolments
    ADD CONSTRAINT enrolments_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.ledger_accepted
    ADD CONSTRAINT ledger_accepted_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.notes
    ADD CONSTRAINT notes_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.passkeys
    ADD CONSTRAINT passkeys_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.past_subscriptions
    ADD CONSTRAINT past_subscriptions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.recovery_codes
    ADD CONSTRAINT recovery_codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.staff
    ADD CONSTRAINT staff_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.subscriptions
    ADD CONSTRAINT subscriptions_plan_fkey FOREIGN KEY (plan) REFERENCES public.plans(id);

ALTER TABLE ONLY public.subscriptions
    ADD CONSTRAINT subscriptions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.vault_keys
    ADD CONSTRAINT vault_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_endpoint_fkey FOREIGN KEY (endpoint) REFERENCES public.webhook_endpoints(id);

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.admin_tokens TO holdfast_runtime;

GRANT SELECT ON TABLE public.audit TO holdfast_runtime;

GRANT INSERT(user_id) ON TABLE public.audit TO holdfast_runtime;

GRANT INSERT(at) ON TABLE public.audit TO holdfast_runtime;

GRANT INSERT(actor) ON TABLE public.audit TO holdfast_runtime;

GRANT INSERT(action) ON TABLE public.audit TO holdfast_runtime;

GRANT INSERT(object) ON TABLE public.audit TO holdfast_runtime;

GRANT INSERT(before) ON TABLE public.audit TO holdfast_runtime;

GRANT INSERT(after) ON TABLE public.audit TO holdfast_runtime;

GRANT SELECT,INSERT,DELETE ON TABLE public.audit_reasons TO holdfast_runtime;

GRANT SELECT,INSERT ON TABLE public.billing_erased TO holdfast_runtime;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.billing_events TO holdfast_runtime;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.devices TO holdfast_runtime;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.directory TO holdfast_runtime;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.enrolments TO holdfast_runtime;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.idempotency TO holdfast_runtime;

GRANT SELECT,INSERT,UPDATE ON TABLE public.keyset_marks TO holdfast_runtime;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.ledger_accepted TO holdfast_runtime;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.ledger_entries TO holdfast_runtime;

GRANT SELECT,INSERT,DELETE ON TABLE public.notes TO holdfast_runtime;

GRANT SELECT,INSERT,UPDATE ON TABLE public.pack_keys TO holdfast_runtime;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.passkeys TO holdfast_runtime;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.past_plans TO holdfast_runtime;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.past_subscriptions TO holdfast_runtime;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.plans TO holdfast_runtime;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.recovery_codes TO holdfast_runtime;

GRANT SELECT ON TABLE public.schema_compatibility TO holdfast_runtime;

GRANT SELECT,INSERT ON TABLE public.secrets TO holdfast_runtime;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.sessions TO holdfast_runtime;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.spent TO holdfast_runtime;

GRANT SELECT,INSERT,DELETE ON TABLE public.staff TO holdfast_runtime;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.status_changes TO holdfast_runtime;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.status_entries TO holdfast_runtime;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.subscriptions TO holdfast_runtime;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.users TO holdfast_runtime;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.vault_keys TO holdfast_runtime;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_deliveries TO holdfast_runtime;

GRANT SELECT,INSERT,UPDATE ON TABLE public.webhook_endpoints TO holdfast_runtime;

