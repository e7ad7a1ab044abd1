CREATE TABLE public.audit (
    id integer NOT NULL,
    study_id integer NOT NULL,
    at double precision NOT NULL,
    actor character varying(50) NOT NULL,
    action character varying(50) NOT NULL,
    detail text NOT NULL
);
CREATE SEQUENCE public.audit_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.audit_id_seq OWNED BY public.audit.id;
CREATE TABLE public.ballot (
    id integer NOT NULL,
    presentation_id integer NOT NULL,
    submission character varying(64) NOT NULL,
    submitted_at double precision NOT NULL,
    seconds double precision NOT NULL,
    is_late boolean NOT NULL,
    num_replays integer NOT NULL,
    withdrawn_at double precision
);
CREATE SEQUENCE public.ballot_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.ballot_id_seq OWNED BY public.ballot.id;
CREATE TABLE public.choice (
    id integer NOT NULL,
    ballot_id integer NOT NULL,
    dimension character varying(100) NOT NULL,
    attribute character varying(100) NOT NULL,
    text character varying(300) NOT NULL
);
CREATE SEQUENCE public.choice_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.choice_id_seq OWNED BY public.choice.id;
CREATE TABLE public.clip (
    id integer NOT NULL,
    study_id integer NOT NULL,
    name character varying(500) NOT NULL,
    source character varying(500) NOT NULL,
    role character varying(20) NOT NULL,
    category character varying(200) NOT NULL,
    file character varying(500) NOT NULL,
    facts json NOT NULL,
    answers json NOT NULL,
    note text NOT NULL
);
CREATE SEQUENCE public.clip_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.clip_id_seq OWNED BY public.clip.id;
CREATE TABLE public.playback (
    id integer NOT NULL,
    presentation_id integer NOT NULL,
    key character varying(64) NOT NULL,
    started_at double precision NOT NULL,
    ended_at double precision
);
CREATE SEQUENCE public.playback_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.playback_id_seq OWNED BY public.playback.id;
CREATE TABLE public.presentation (
    id integer NOT NULL,
    subject_id integer NOT NULL,
    "position" integer NOT NULL,
    clip_id integer NOT NULL,
    kind character varying(20) NOT NULL
);
CREATE SEQUENCE public.presentation_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.presentation_id_seq OWNED BY public.presentation.id;
CREATE TABLE public.qa_pair (
    id integer NOT NULL,
    study_id integer NOT NULL,
    video character varying(500) NOT NULL,
    family character varying(30) NOT NULL,
    question text NOT NULL,
    answer text NOT NULL,
    options json NOT NULL,
    facts json NOT NULL,
    status character varying(20) NOT NULL
);
CREATE SEQUENCE public.qa_pair_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.qa_pair_id_seq OWNED BY public.qa_pair.id;
CREATE TABLE public.rating (
    id integer NOT NULL,
    ballot_id integer NOT NULL,
    dimension character varying(100) NOT NULL,
    level integer NOT NULL,
    num_levels integer NOT NULL,
    CONSTRAINT level_within_scale CHECK (((level >= 1) AND (level <= num_levels)))
);
CREATE SEQUENCE public.rating_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.rating_id_seq OWNED BY public.rating.id;
CREATE TABLE public.study (
    id integer NOT NULL,
    name character varying(100) NOT NULL,
    definition json NOT NULL,
    password_hash character varying(200) NOT NULL,
    secret character varying(100) NOT NULL,
    created_at double precision NOT NULL
);
CREATE SEQUENCE public.study_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.study_id_seq OWNED BY public.study.id;
CREATE TABLE public.subject (
    id integer NOT NULL,
    study_id integer NOT NULL,
    number integer NOT NULL,
    token_hash character varying(64) NOT NULL,
    created_at double precision NOT NULL,
    consented_at double precision,
    consent_text text,
    questionnaire json,
    viewing json,
    instructed_at double precision,
    block_started_at double precision,
    block_clips integer NOT NULL,
    break_until double precision
);
CREATE SEQUENCE public.subject_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.subject_id_seq OWNED BY public.subject.id;
ALTER TABLE ONLY public.audit ALTER COLUMN id SET DEFAULT nextval('public.audit_id_seq'::regclass);
ALTER TABLE ONLY public.ballot ALTER COLUMN id SET DEFAULT nextval('public.ballot_id_seq'::regclass);
ALTER TABLE ONLY public.choice ALTER COLUMN id SET DEFAULT nextval('public.choice_id_seq'::regclass);
ALTER TABLE ONLY public.clip ALTER COLUMN id SET DEFAULT nextval('public.clip_id_seq'::regclass);
ALTER TABLE ONLY public.playback ALTER COLUMN id SET DEFAULT nextval('public.playback_id_seq'::regclass);
ALTER TABLE ONLY public.presentation ALTER COLUMN id SET DEFAULT nextval('public.presentation_id_seq'::regclass);
ALTER TABLE ONLY public.qa_pair ALTER COLUMN id SET DEFAULT nextval('public.qa_pair_id_seq'::regclass);
ALTER TABLE ONLY public.rating ALTER COLUMN id SET DEFAULT nextval('public.rating_id_seq'::regclass);
ALTER TABLE ONLY public.study ALTER COLUMN id SET DEFAULT nextval('public.study_id_seq'::regclass);
ALTER TABLE ONLY public.subject ALTER COLUMN id SET DEFAULT nextval('public.subject_id_seq'::regclass);
INSERT INTO public.audit VALUES (1, 1, 1795390717.4850242, 'owner', 'create', '4 clips');
INSERT INTO public.audit VALUES (2, 1, 1795390717.5129378, 'owner', 'invite', 'S01 and on, 2 subjects');
INSERT INTO public.audit VALUES (3, 1, 1795390718.3796175, 'owner', 'add pairs', '1');
INSERT INTO public.audit VALUES (4, 2, 1795390718.5071218, 'owner', 'create', '4 clips');
INSERT INTO public.audit VALUES (5, 2, 1795390718.5418959, 'owner', 'invite', 'S01 and on, 2 subjects');
INSERT INTO public.audit VALUES (6, 2, 1795390719.027888, 'owner', 'add pairs', '1');
INSERT INTO public.ballot VALUES (1, 1, 'ballot-pilot-0-1-1', 1700000008, 1, false, 0, NULL);
INSERT INTO public.ballot VALUES (2, 2, 'ballot-pilot-0-2-2', 1700000017, 4, false, 1, NULL);
INSERT INTO public.ballot VALUES (3, 3, 'ballot-pilot-0-3-3', 1700000024, 1, false, 0, 1700000026);
INSERT INTO public.ballot VALUES (4, 3, 'ballot-pilot-0-3-4', 1700000032, 9, false, 1, NULL);
INSERT INTO public.ballot VALUES (5, 4, 'ballot-pilot-0-4-5', 1700000039, 1, false, 0, NULL);
INSERT INTO public.ballot VALUES (6, 5, 'ballot-pilot-1-1-1', 1700000008, 1, false, 0, NULL);
INSERT INTO public.ballot VALUES (7, 6, 'ballot-pilot-1-2-2', 1700000017, 4, false, 1, NULL);
INSERT INTO public.ballot VALUES (8, 7, 'ballot-pilot-1-3-3', 1700000024, 1, false, 0, 1700000026);
INSERT INTO public.ballot VALUES (9, 9, 'ballot-other-0-1-1', 1700000008, 1, false, 0, NULL);
INSERT INTO public.ballot VALUES (10, 10, 'ballot-other-0-2-2', 1700000017, 4, false, 1, NULL);
INSERT INTO public.ballot VALUES (11, 11, 'ballot-other-0-3-3', 1700000024, 1, false, 0, 1700000026);
INSERT INTO public.ballot VALUES (12, 11, 'ballot-other-0-3-4', 1700000032, 9, false, 1, NULL);
INSERT INTO public.ballot VALUES (13, 12, 'ballot-other-0-4-5', 1700000039, 1, false, 0, NULL);
INSERT INTO public.choice VALUES (1, 1, 'blur', 'camera blur', '');
INSERT INTO public.choice VALUES (2, 1, 'blur', 'other', 'ghost; ''quoted'' ü');
INSERT INTO public.choice VALUES (3, 2, 'blur', 'none', '');
INSERT INTO public.choice VALUES (4, 3, 'blur', 'camera blur', '');
INSERT INTO public.choice VALUES (5, 3, 'blur', 'other', 'ghost; ''quoted'' ü');
INSERT INTO public.choice VALUES (6, 4, 'blur', 'camera blur', '');
INSERT INTO public.choice VALUES (7, 4, 'blur', 'other', 'ghost; ''quoted'' ü');
INSERT INTO public.choice VALUES (8, 5, 'blur', 'none', '');
INSERT INTO public.choice VALUES (9, 6, 'blur', 'camera blur', '');
INSERT INTO public.choice VALUES (10, 6, 'blur', 'other', 'ghost; ''quoted'' ü');
INSERT INTO public.choice VALUES (11, 7, 'blur', 'none', '');
INSERT INTO public.choice VALUES (12, 8, 'blur', 'camera blur', '');
INSERT INTO public.choice VALUES (13, 8, 'blur', 'other', 'ghost; ''quoted'' ü');
INSERT INTO public.choice VALUES (14, 9, 'blur', 'camera blur', '');
INSERT INTO public.choice VALUES (15, 9, 'blur', 'other', 'ghost; ''quoted'' ü');
INSERT INTO public.choice VALUES (16, 10, 'blur', 'none', '');
INSERT INTO public.choice VALUES (17, 11, 'blur', 'camera blur', '');
INSERT INTO public.choice VALUES (18, 11, 'blur', 'other', 'ghost; ''quoted'' ü');
INSERT INTO public.choice VALUES (19, 12, 'blur', 'camera blur', '');
INSERT INTO public.choice VALUES (20, 12, 'blur', 'other', 'ghost; ''quoted'' ü');
INSERT INTO public.choice VALUES (21, 13, 'blur', 'none', '');
INSERT INTO public.clip VALUES (1, 1, 'practice', 'practice', 'training', '', 'clips/practice.mp4', '{"duration_seconds": 0.1, "width": 64, "height": 48}', '{"overall": ["good"]}', '');
INSERT INTO public.clip VALUES (2, 1, 'clip0', 'clip0', 'test', '', 'clips/clip0.mp4', '{"duration_seconds": 0.1, "width": 64, "height": 48}', '{}', '');
INSERT INTO public.clip VALUES (3, 1, 'clip1', 'clip1', 'test', '', 'clips/clip1.mp4', '{"duration_seconds": 0.1, "width": 64, "height": 48}', '{}', '');
INSERT INTO public.clip VALUES (4, 1, 'clip2', 'clip2', 'test', '', 'clips/clip2.mp4', '{"duration_seconds": 0.1, "width": 64, "height": 48}', '{}', '');
INSERT INTO public.clip VALUES (5, 2, 'practice', 'practice', 'training', '', 'clips/practice.mp4', '{"duration_seconds": 0.1, "width": 64, "height": 48}', '{"overall": ["good"]}', '');
INSERT INTO public.clip VALUES (6, 2, 'clip0', 'clip0', 'test', '', 'clips/clip0.mp4', '{"duration_seconds": 0.1, "width": 64, "height": 48}', '{}', '');
INSERT INTO public.clip VALUES (7, 2, 'clip1', 'clip1', 'test', '', 'clips/clip1.mp4', '{"duration_seconds": 0.1, "width": 64, "height": 48}', '{}', '');
INSERT INTO public.clip VALUES (8, 2, 'clip2', 'clip2', 'test', '', 'clips/clip2.mp4', '{"duration_seconds": 0.1, "width": 64, "height": 48}', '{}', '');
INSERT INTO public.playback VALUES (1, 1, 'play-pilot-0-1-1-0', 1700000004, 1700000006);
INSERT INTO public.playback VALUES (2, 2, 'play-pilot-0-2-2-0', 1700000010, 1700000012);
INSERT INTO public.playback VALUES (3, 2, 'play-pilot-0-2-2-1', 1700000013, 1700000015);
INSERT INTO public.playback VALUES (4, 3, 'play-pilot-0-3-3-0', 1700000020, 1700000022);
INSERT INTO public.playback VALUES (5, 3, 'play-pilot-0-3-4-0', 1700000028, 1700000030);
INSERT INTO public.playback VALUES (6, 4, 'play-pilot-0-4-5-0', 1700000035, 1700000037);
INSERT INTO public.playback VALUES (7, 5, 'play-pilot-1-1-1-0', 1700000004, 1700000006);
INSERT INTO public.playback VALUES (8, 6, 'play-pilot-1-2-2-0', 1700000010, 1700000012);
INSERT INTO public.playback VALUES (9, 6, 'play-pilot-1-2-2-1', 1700000013, 1700000015);
INSERT INTO public.playback VALUES (10, 7, 'play-pilot-1-3-3-0', 1700000020, 1700000022);
INSERT INTO public.playback VALUES (11, 9, 'play-other-0-1-1-0', 1700000004, 1700000006);
INSERT INTO public.playback VALUES (12, 10, 'play-other-0-2-2-0', 1700000010, 1700000012);
INSERT INTO public.playback VALUES (13, 10, 'play-other-0-2-2-1', 1700000013, 1700000015);
INSERT INTO public.playback VALUES (14, 11, 'play-other-0-3-3-0', 1700000020, 1700000022);
INSERT INTO public.playback VALUES (15, 11, 'play-other-0-3-4-0', 1700000028, 1700000030);
INSERT INTO public.playback VALUES (16, 12, 'play-other-0-4-5-0', 1700000035, 1700000037);
INSERT INTO public.presentation VALUES (1, 1, 1, 1, 'training');
INSERT INTO public.presentation VALUES (2, 1, 2, 3, 'test');
INSERT INTO public.presentation VALUES (3, 1, 3, 4, 'test');
INSERT INTO public.presentation VALUES (4, 1, 4, 2, 'test');
INSERT INTO public.presentation VALUES (5, 2, 1, 1, 'training');
INSERT INTO public.presentation VALUES (6, 2, 2, 4, 'test');
INSERT INTO public.presentation VALUES (7, 2, 3, 2, 'test');
INSERT INTO public.presentation VALUES (8, 2, 4, 3, 'test');
INSERT INTO public.presentation VALUES (9, 3, 1, 5, 'training');
INSERT INTO public.presentation VALUES (10, 3, 2, 7, 'test');
INSERT INTO public.presentation VALUES (11, 3, 3, 8, 'test');
INSERT INTO public.presentation VALUES (12, 3, 4, 6, 'test');
INSERT INTO public.presentation VALUES (13, 4, 1, 5, 'training');
INSERT INTO public.presentation VALUES (14, 4, 2, 8, 'test');
INSERT INTO public.presentation VALUES (15, 4, 3, 6, 'test');
INSERT INTO public.presentation VALUES (16, 4, 4, 7, 'test');
INSERT INTO public.qa_pair VALUES (1, 1, 'clip0', 'rating', 'How is the blur?', 'Mild.', '[]', '{"dimension": "blur", "level": "mild"}', 'open');
INSERT INTO public.qa_pair VALUES (2, 2, 'clip0', 'rating', 'How is the blur?', 'Mild.', '[]', '{"dimension": "blur", "level": "mild"}', 'open');
INSERT INTO public.rating VALUES (1, 1, 'blur', 2, 5);
INSERT INTO public.rating VALUES (2, 1, 'overall', 3, 5);
INSERT INTO public.rating VALUES (3, 2, 'blur', 3, 5);
INSERT INTO public.rating VALUES (4, 2, 'overall', 5, 5);
INSERT INTO public.rating VALUES (5, 3, 'blur', 4, 5);
INSERT INTO public.rating VALUES (6, 3, 'overall', 2, 5);
INSERT INTO public.rating VALUES (7, 4, 'blur', 4, 5);
INSERT INTO public.rating VALUES (8, 4, 'overall', 3, 5);
INSERT INTO public.rating VALUES (9, 5, 'blur', 5, 5);
INSERT INTO public.rating VALUES (10, 5, 'overall', 5, 5);
INSERT INTO public.rating VALUES (11, 6, 'blur', 3, 5);
INSERT INTO public.rating VALUES (12, 6, 'overall', 3, 5);
INSERT INTO public.rating VALUES (13, 7, 'blur', 4, 5);
INSERT INTO public.rating VALUES (14, 7, 'overall', 5, 5);
INSERT INTO public.rating VALUES (15, 8, 'blur', 5, 5);
INSERT INTO public.rating VALUES (16, 8, 'overall', 2, 5);
INSERT INTO public.rating VALUES (17, 9, 'blur', 2, 5);
INSERT INTO public.rating VALUES (18, 9, 'overall', 3, 5);
INSERT INTO public.rating VALUES (19, 10, 'blur', 3, 5);
INSERT INTO public.rating VALUES (20, 10, 'overall', 5, 5);
INSERT INTO public.rating VALUES (21, 11, 'blur', 4, 5);
INSERT INTO public.rating VALUES (22, 11, 'overall', 2, 5);
INSERT INTO public.rating VALUES (23, 12, 'blur', 4, 5);
INSERT INTO public.rating VALUES (24, 12, 'overall', 3, 5);
INSERT INTO public.rating VALUES (25, 13, 'blur', 5, 5);
INSERT INTO public.rating VALUES (26, 13, 'overall', 5, 5);
INSERT INTO public.study VALUES (1, 'pilot', '{"dimensions": ["blur", "overall"], "repeat_share": 0.0}', '6ec414e01400735567842c76e7002dcd$51e671f8578bb247786952eea4315d130d3797a4a399146b0a2ed43b7f12f82fd45fb1dba1da021bdef95146b10a156081feae9bd86f5f32aa4a0c48d3775ddc', 'aa7dce81ead338884043c7db260b19bffcf716b1ff5c0f2052341007fec4cd06', 1795390717.4743755);
INSERT INTO public.study VALUES (2, 'other', '{"dimensions": ["blur", "overall"], "repeat_share": 0.0}', '06878d82041ae68fe6f4f27ef3f3513f$811a6b2156393954f30b6330c12ee35a6cfd90fb4d773284cd97acab247a6e3e492e58e2ae979a9b839c7f342c5ee7e2c082882b9210f091d90d144fa77151ae', 'a74800c83bc6d14361136cec02e878c984231eba0fe846e9bc773cd672f290c2', 1795390718.5005713);
INSERT INTO public.subject VALUES (1, 1, 1, 'f71c0c87989ccad700b8c812740e8fa0186523162643a50e4aaac9f064921b23', 1795390717.5115077, 1700000000, 'You will watch short videos and say how good they look. You can stop at any time without giving a reason, and ask for your answers to be deleted. We keep your answers under a number, not under your name.', '{"vision": "normal"}', '{"screen": "1x1"}', 1700000001, 1700000003, 3, NULL);
INSERT INTO public.subject VALUES (3, 2, 1, 'c105c89e1f3c4e627a4c08a0d154cdff0fbae08430a197143f0b34c13501723b', 1795390718.540705, 1700000000, 'You will watch short videos and say how good they look. You can stop at any time without giving a reason, and ask for your answers to be deleted. We keep your answers under a number, not under your name.', '{"vision": "normal"}', '{"screen": "1x1"}', 1700000001, 1700000003, 3, NULL);
INSERT INTO public.subject VALUES (2, 1, 2, '774826cf715383f931a1024ac374a72a696d68bc2145759adc691fda30feade6', 1795390717.5125396, 1700000000, 'You will watch short videos and say how good they look. You can stop at any time without giving a reason, and ask for your answers to be deleted. We keep your answers under a number, not under your name.', '{"vision": "normal"}', '{"screen": "1x1"}', 1700000001, 1700000003, 1, NULL);
INSERT INTO public.subject VALUES (4, 2, 2, '8ead661a23e2661a8e4b0834c41ac7cc47e20b09b671cdf9fb16a88df4773986', 1795390718.5415962, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL);
SELECT pg_catalog.setval('public.audit_id_seq', 6, true);
SELECT pg_catalog.setval('public.ballot_id_seq', 13, true);
SELECT pg_catalog.setval('public.choice_id_seq', 21, true);
SELECT pg_catalog.setval('public.clip_id_seq', 8, true);
SELECT pg_catalog.setval('public.playback_id_seq', 16, true);
SELECT pg_catalog.setval('public.presentation_id_seq', 16, true);
SELECT pg_catalog.setval('public.qa_pair_id_seq', 2, true);
SELECT pg_catalog.setval('public.rating_id_seq', 26, true);
SELECT pg_catalog.setval('public.study_id_seq', 2, true);
SELECT pg_catalog.setval('public.subject_id_seq', 4, true);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.ballot
    ADD CONSTRAINT ballot_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.ballot
    ADD CONSTRAINT ballot_submission_key UNIQUE (submission);
ALTER TABLE ONLY public.choice
    ADD CONSTRAINT choice_ballot_id_dimension_attribute_key UNIQUE (ballot_id, dimension, attribute);
ALTER TABLE ONLY public.choice
    ADD CONSTRAINT choice_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.clip
    ADD CONSTRAINT clip_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.clip
    ADD CONSTRAINT clip_study_id_name_key UNIQUE (study_id, name);
ALTER TABLE ONLY public.playback
    ADD CONSTRAINT playback_key_key UNIQUE (key);
ALTER TABLE ONLY public.playback
    ADD CONSTRAINT playback_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.presentation
    ADD CONSTRAINT presentation_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.presentation
    ADD CONSTRAINT presentation_subject_id_position_key UNIQUE (subject_id, "position");
ALTER TABLE ONLY public.qa_pair
    ADD CONSTRAINT qa_pair_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.rating
    ADD CONSTRAINT rating_ballot_id_dimension_key UNIQUE (ballot_id, dimension);
ALTER TABLE ONLY public.rating
    ADD CONSTRAINT rating_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.study
    ADD CONSTRAINT study_name_key UNIQUE (name);
ALTER TABLE ONLY public.study
    ADD CONSTRAINT study_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.subject
    ADD CONSTRAINT subject_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.subject
    ADD CONSTRAINT subject_study_id_number_key UNIQUE (study_id, number);
ALTER TABLE ONLY public.subject
    ADD CONSTRAINT subject_token_hash_key UNIQUE (token_hash);
CREATE INDEX ix_audit_study_id ON public.audit USING btree (study_id);
CREATE INDEX ix_ballot_presentation_id ON public.ballot USING btree (presentation_id);
CREATE INDEX ix_clip_study_id ON public.clip USING btree (study_id);
CREATE INDEX ix_playback_presentation_id ON public.playback USING btree (presentation_id);
CREATE INDEX ix_presentation_clip_id ON public.presentation USING btree (clip_id);
CREATE INDEX ix_qa_pair_study_id ON public.qa_pair USING btree (study_id);
CREATE INDEX ix_subject_study_id ON public.subject USING btree (study_id);
CREATE UNIQUE INDEX one_counting_ballot ON public.ballot USING btree (presentation_id) WHERE (withdrawn_at IS NULL);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.study(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.ballot
    ADD CONSTRAINT ballot_presentation_id_fkey FOREIGN KEY (presentation_id) REFERENCES public.presentation(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.choice
    ADD CONSTRAINT choice_ballot_id_fkey FOREIGN KEY (ballot_id) REFERENCES public.ballot(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.clip
    ADD CONSTRAINT clip_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.study(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.playback
    ADD CONSTRAINT playback_presentation_id_fkey FOREIGN KEY (presentation_id) REFERENCES public.presentation(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.presentation
    ADD CONSTRAINT presentation_clip_id_fkey FOREIGN KEY (clip_id) REFERENCES public.clip(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.presentation
    ADD CONSTRAINT presentation_subject_id_fkey FOREIGN KEY (subject_id) REFERENCES public.subject(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.qa_pair
    ADD CONSTRAINT qa_pair_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.study(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.rating
    ADD CONSTRAINT rating_ballot_id_fkey FOREIGN KEY (ballot_id) REFERENCES public.ballot(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.subject
    ADD CONSTRAINT subject_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.study(id) ON DELETE CASCADE;
