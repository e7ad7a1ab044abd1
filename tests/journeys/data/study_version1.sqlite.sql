BEGIN TRANSACTION;
CREATE TABLE audit (
	id INTEGER NOT NULL, 
	study_id INTEGER NOT NULL, 
	at FLOAT NOT NULL, 
	actor VARCHAR(50) NOT NULL, 
	action VARCHAR(50) NOT NULL, 
	detail TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(study_id) REFERENCES study (id) ON DELETE CASCADE
);
INSERT INTO "audit" VALUES(1,1,1.79539071343527626995e+09,'owner','create','4 clips');
INSERT INTO "audit" VALUES(2,1,1.79539071346682238584e+09,'owner','invite','S01 and on, 2 subjects');
INSERT INTO "audit" VALUES(3,1,1.79539071407925724982e+09,'owner','add pairs','1');
INSERT INTO "audit" VALUES(4,2,1.79539071420078659054e+09,'owner','create','4 clips');
INSERT INTO "audit" VALUES(5,2,1.79539071423670768736e+09,'owner','invite','S01 and on, 2 subjects');
INSERT INTO "audit" VALUES(6,2,1795390714.59208,'owner','add pairs','1');
CREATE TABLE ballot (
	id INTEGER NOT NULL, 
	presentation_id INTEGER NOT NULL, 
	submission VARCHAR(64) NOT NULL, 
	submitted_at FLOAT NOT NULL, 
	seconds FLOAT NOT NULL, 
	is_late BOOLEAN NOT NULL, 
	num_replays INTEGER NOT NULL, 
	withdrawn_at FLOAT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(presentation_id) REFERENCES presentation (id) ON DELETE CASCADE, 
	UNIQUE (submission)
);
INSERT INTO "ballot" VALUES(1,1,'ballot-pilot-0-1-1',1700000008.0,1.0,0,0,NULL);
INSERT INTO "ballot" VALUES(2,2,'ballot-pilot-0-2-2',1700000017.0,4.0,0,1,NULL);
INSERT INTO "ballot" VALUES(3,3,'ballot-pilot-0-3-3',1700000024.0,1.0,0,0,1700000026.0);
INSERT INTO "ballot" VALUES(4,3,'ballot-pilot-0-3-4',1700000032.0,9.0,0,1,NULL);
INSERT INTO "ballot" VALUES(5,4,'ballot-pilot-0-4-5',1700000039.0,1.0,0,0,NULL);
INSERT INTO "ballot" VALUES(6,5,'ballot-pilot-1-1-1',1700000008.0,1.0,0,0,NULL);
INSERT INTO "ballot" VALUES(7,6,'ballot-pilot-1-2-2',1700000017.0,4.0,0,1,NULL);
INSERT INTO "ballot" VALUES(8,7,'ballot-pilot-1-3-3',1700000024.0,1.0,0,0,1700000026.0);
INSERT INTO "ballot" VALUES(9,9,'ballot-other-0-1-1',1700000008.0,1.0,0,0,NULL);
INSERT INTO "ballot" VALUES(10,10,'ballot-other-0-2-2',1700000017.0,4.0,0,1,NULL);
INSERT INTO "ballot" VALUES(11,11,'ballot-other-0-3-3',1700000024.0,1.0,0,0,1700000026.0);
INSERT INTO "ballot" VALUES(12,11,'ballot-other-0-3-4',1700000032.0,9.0,0,1,NULL);
INSERT INTO "ballot" VALUES(13,12,'ballot-other-0-4-5',1700000039.0,1.0,0,0,NULL);
CREATE TABLE choice (
	id INTEGER NOT NULL, 
	ballot_id INTEGER NOT NULL, 
	dimension VARCHAR(100) NOT NULL, 
	attribute VARCHAR(100) NOT NULL, 
	text VARCHAR(300) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (ballot_id, dimension, attribute), 
	FOREIGN KEY(ballot_id) REFERENCES ballot (id) ON DELETE CASCADE
);
INSERT INTO "choice" VALUES(1,1,'blur','camera blur','');
INSERT INTO "choice" VALUES(2,1,'blur','other','ghost; ''quoted'' ü');
INSERT INTO "choice" VALUES(3,2,'blur','none','');
INSERT INTO "choice" VALUES(4,3,'blur','camera blur','');
INSERT INTO "choice" VALUES(5,3,'blur','other','ghost; ''quoted'' ü');
INSERT INTO "choice" VALUES(6,4,'blur','camera blur','');
INSERT INTO "choice" VALUES(7,4,'blur','other','ghost; ''quoted'' ü');
INSERT INTO "choice" VALUES(8,5,'blur','none','');
INSERT INTO "choice" VALUES(9,6,'blur','camera blur','');
INSERT INTO "choice" VALUES(10,6,'blur','other','ghost; ''quoted'' ü');
INSERT INTO "choice" VALUES(11,7,'blur','none','');
INSERT INTO "choice" VALUES(12,8,'blur','camera blur','');
INSERT INTO "choice" VALUES(13,8,'blur','other','ghost; ''quoted'' ü');
INSERT INTO "choice" VALUES(14,9,'blur','camera blur','');
INSERT INTO "choice" VALUES(15,9,'blur','other','ghost; ''quoted'' ü');
INSERT INTO "choice" VALUES(16,10,'blur','none','');
INSERT INTO "choice" VALUES(17,11,'blur','camera blur','');
INSERT INTO "choice" VALUES(18,11,'blur','other','ghost; ''quoted'' ü');
INSERT INTO "choice" VALUES(19,12,'blur','camera blur','');
INSERT INTO "choice" VALUES(20,12,'blur','other','ghost; ''quoted'' ü');
INSERT INTO "choice" VALUES(21,13,'blur','none','');
CREATE TABLE clip (
	id INTEGER NOT NULL, 
	study_id INTEGER NOT NULL, 
	name VARCHAR(500) NOT NULL, 
	source VARCHAR(500) NOT NULL, 
	role VARCHAR(20) NOT NULL, 
	category VARCHAR(200) NOT NULL, 
	file VARCHAR(500) NOT NULL, 
	facts JSON NOT NULL, 
	answers JSON NOT NULL, 
	note TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (study_id, name), 
	FOREIGN KEY(study_id) REFERENCES study (id) ON DELETE CASCADE
);
INSERT INTO "clip" VALUES(1,1,'practice','practice','training','','clips/practice.mp4','{"duration_seconds": 0.1, "width": 64, "height": 48}','{"overall": ["good"]}','');
INSERT INTO "clip" VALUES(2,1,'clip0','clip0','test','','clips/clip0.mp4','{"duration_seconds": 0.1, "width": 64, "height": 48}','{}','');
INSERT INTO "clip" VALUES(3,1,'clip1','clip1','test','','clips/clip1.mp4','{"duration_seconds": 0.1, "width": 64, "height": 48}','{}','');
INSERT INTO "clip" VALUES(4,1,'clip2','clip2','test','','clips/clip2.mp4','{"duration_seconds": 0.1, "width": 64, "height": 48}','{}','');
INSERT INTO "clip" VALUES(5,2,'practice','practice','training','','clips/practice.mp4','{"duration_seconds": 0.1, "width": 64, "height": 48}','{"overall": ["good"]}','');
INSERT INTO "clip" VALUES(6,2,'clip0','clip0','test','','clips/clip0.mp4','{"duration_seconds": 0.1, "width": 64, "height": 48}','{}','');
INSERT INTO "clip" VALUES(7,2,'clip1','clip1','test','','clips/clip1.mp4','{"duration_seconds": 0.1, "width": 64, "height": 48}','{}','');
INSERT INTO "clip" VALUES(8,2,'clip2','clip2','test','','clips/clip2.mp4','{"duration_seconds": 0.1, "width": 64, "height": 48}','{}','');
CREATE TABLE playback (
	id INTEGER NOT NULL, 
	presentation_id INTEGER NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	started_at FLOAT NOT NULL, 
	ended_at FLOAT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(presentation_id) REFERENCES presentation (id) ON DELETE CASCADE, 
	UNIQUE ("key")
);
INSERT INTO "playback" VALUES(1,1,'play-pilot-0-1-1-0',1700000004.0,1700000006.0);
INSERT INTO "playback" VALUES(2,2,'play-pilot-0-2-2-0',1700000010.0,1700000012.0);
INSERT INTO "playback" VALUES(3,2,'play-pilot-0-2-2-1',1700000013.0,1700000015.0);
INSERT INTO "playback" VALUES(4,3,'play-pilot-0-3-3-0',1700000020.0,1700000022.0);
INSERT INTO "playback" VALUES(5,3,'play-pilot-0-3-4-0',1700000028.0,1700000030.0);
INSERT INTO "playback" VALUES(6,4,'play-pilot-0-4-5-0',1700000035.0,1700000037.0);
INSERT INTO "playback" VALUES(7,5,'play-pilot-1-1-1-0',1700000004.0,1700000006.0);
INSERT INTO "playback" VALUES(8,6,'play-pilot-1-2-2-0',1700000010.0,1700000012.0);
INSERT INTO "playback" VALUES(9,6,'play-pilot-1-2-2-1',1700000013.0,1700000015.0);
INSERT INTO "playback" VALUES(10,7,'play-pilot-1-3-3-0',1700000020.0,1700000022.0);
INSERT INTO "playback" VALUES(11,9,'play-other-0-1-1-0',1700000004.0,1700000006.0);
INSERT INTO "playback" VALUES(12,10,'play-other-0-2-2-0',1700000010.0,1700000012.0);
INSERT INTO "playback" VALUES(13,10,'play-other-0-2-2-1',1700000013.0,1700000015.0);
INSERT INTO "playback" VALUES(14,11,'play-other-0-3-3-0',1700000020.0,1700000022.0);
INSERT INTO "playback" VALUES(15,11,'play-other-0-3-4-0',1700000028.0,1700000030.0);
INSERT INTO "playback" VALUES(16,12,'play-other-0-4-5-0',1700000035.0,1700000037.0);
CREATE TABLE presentation (
	id INTEGER NOT NULL, 
	subject_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	clip_id INTEGER NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (subject_id, position), 
	FOREIGN KEY(subject_id) REFERENCES subject (id) ON DELETE CASCADE, 
	FOREIGN KEY(clip_id) REFERENCES clip (id) ON DELETE CASCADE
);
INSERT INTO "presentation" VALUES(1,1,1,1,'training');
INSERT INTO "presentation" VALUES(2,1,2,3,'test');
INSERT INTO "presentation" VALUES(3,1,3,4,'test');
INSERT INTO "presentation" VALUES(4,1,4,2,'test');
INSERT INTO "presentation" VALUES(5,2,1,1,'training');
INSERT INTO "presentation" VALUES(6,2,2,4,'test');
INSERT INTO "presentation" VALUES(7,2,3,2,'test');
INSERT INTO "presentation" VALUES(8,2,4,3,'test');
INSERT INTO "presentation" VALUES(9,3,1,5,'training');
INSERT INTO "presentation" VALUES(10,3,2,7,'test');
INSERT INTO "presentation" VALUES(11,3,3,8,'test');
INSERT INTO "presentation" VALUES(12,3,4,6,'test');
INSERT INTO "presentation" VALUES(13,4,1,5,'training');
INSERT INTO "presentation" VALUES(14,4,2,8,'test');
INSERT INTO "presentation" VALUES(15,4,3,6,'test');
INSERT INTO "presentation" VALUES(16,4,4,7,'test');
CREATE TABLE qa_pair (
	id INTEGER NOT NULL, 
	study_id INTEGER NOT NULL, 
	video VARCHAR(500) NOT NULL, 
	family VARCHAR(30) NOT NULL, 
	question TEXT NOT NULL, 
	answer TEXT NOT NULL, 
	options JSON NOT NULL, 
	facts JSON NOT NULL, 
	status VARCHAR(20) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(study_id) REFERENCES study (id) ON DELETE CASCADE
);
INSERT INTO "qa_pair" VALUES(1,1,'clip0','rating','How is the blur?','Mild.','[]','{"dimension": "blur", "level": "mild"}','open');
INSERT INTO "qa_pair" VALUES(2,2,'clip0','rating','How is the blur?','Mild.','[]','{"dimension": "blur", "level": "mild"}','open');
CREATE TABLE rating (
	id INTEGER NOT NULL, 
	ballot_id INTEGER NOT NULL, 
	dimension VARCHAR(100) NOT NULL, 
	level INTEGER NOT NULL, 
	num_levels INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (ballot_id, dimension), 
	CONSTRAINT level_within_scale CHECK (level BETWEEN 1 AND num_levels), 
	FOREIGN KEY(ballot_id) REFERENCES ballot (id) ON DELETE CASCADE
);
INSERT INTO "rating" VALUES(1,1,'blur',2,5);
INSERT INTO "rating" VALUES(2,1,'overall',3,5);
INSERT INTO "rating" VALUES(3,2,'blur',3,5);
INSERT INTO "rating" VALUES(4,2,'overall',5,5);
INSERT INTO "rating" VALUES(5,3,'blur',4,5);
INSERT INTO "rating" VALUES(6,3,'overall',2,5);
INSERT INTO "rating" VALUES(7,4,'blur',4,5);
INSERT INTO "rating" VALUES(8,4,'overall',3,5);
INSERT INTO "rating" VALUES(9,5,'blur',5,5);
INSERT INTO "rating" VALUES(10,5,'overall',5,5);
INSERT INTO "rating" VALUES(11,6,'blur',3,5);
INSERT INTO "rating" VALUES(12,6,'overall',3,5);
INSERT INTO "rating" VALUES(13,7,'blur',4,5);
INSERT INTO "rating" VALUES(14,7,'overall',5,5);
INSERT INTO "rating" VALUES(15,8,'blur',5,5);
INSERT INTO "rating" VALUES(16,8,'overall',2,5);
INSERT INTO "rating" VALUES(17,9,'blur',2,5);
INSERT INTO "rating" VALUES(18,9,'overall',3,5);
INSERT INTO "rating" VALUES(19,10,'blur',3,5);
INSERT INTO "rating" VALUES(20,10,'overall',5,5);
INSERT INTO "rating" VALUES(21,11,'blur',4,5);
INSERT INTO "rating" VALUES(22,11,'overall',2,5);
INSERT INTO "rating" VALUES(23,12,'blur',4,5);
INSERT INTO "rating" VALUES(24,12,'overall',3,5);
INSERT INTO "rating" VALUES(25,13,'blur',5,5);
INSERT INTO "rating" VALUES(26,13,'overall',5,5);
CREATE TABLE study (
	id INTEGER NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	definition JSON NOT NULL, 
	password_hash VARCHAR(200) NOT NULL, 
	secret VARCHAR(100) NOT NULL, 
	created_at FLOAT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO "study" VALUES(1,'pilot','{"dimensions": ["blur", "overall"], "repeat_share": 0.0}','189e754dd66c29bcf3e31eeb19b20750$04b00ff2c78aae202ff05983efc9a6e1ce3fddfe67738b1212475d6c031bd197f2fc5e2cc860294d573ddc2cf9f638d94762646d7cf21277d0c03502d1a57f91','cc9613660b57a3e8a546e053b9c530bf285789810eef040885f3952b3ede4df7',1.79539071341715931887e+09);
INSERT INTO "study" VALUES(2,'other','{"dimensions": ["blur", "overall"], "repeat_share": 0.0}','3fa3d5e0a6d90d568df3b2289a5c0f73$eff012ccabe8f1f61df9e3c9c543a0f944ee3f4d191adf246b22c700161bc4844543017cc818afd1efeb6493e5c400be129ba6e275fee1b77bba0e90223520cb','5a11b9deffdc63d20cc0bd4b89e9bcbc543867247c3b8bac99e76cfedace5b79',1.79539071419914698598e+09);
CREATE TABLE subject (
	id INTEGER NOT NULL, 
	study_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	token_hash VARCHAR(64) NOT NULL, 
	created_at FLOAT NOT NULL, 
	consented_at FLOAT, 
	consent_text TEXT, 
	questionnaire JSON, 
	viewing JSON, 
	instructed_at FLOAT, 
	block_started_at FLOAT, 
	block_clips INTEGER NOT NULL, 
	break_until FLOAT, 
	PRIMARY KEY (id), 
	UNIQUE (study_id, number), 
	FOREIGN KEY(study_id) REFERENCES study (id) ON DELETE CASCADE, 
	UNIQUE (token_hash)
);
INSERT INTO "subject" VALUES(1,1,1,'2b5d53066461b31494ccb1e2ca0022a7f2921815095b8141d41fd53fefc9adf5',1.79539071345965337749e+09,1700000000.0,'You will watch short videos and say how good they look. You can stop at any time without giving a reason, and ask for your answers to be deleted. We keep your answers under a number, not under your name.','{"vision": "normal"}','{"screen": "1x1"}',1700000001.0,1700000003.0,3,NULL);
INSERT INTO "subject" VALUES(2,1,2,'bf4701d1d0228174b4c66a1dde11c88529c708a52edc25f3376bab25d5a62984',1.79539071346636080746e+09,1700000000.0,'You will watch short videos and say how good they look. You can stop at any time without giving a reason, and ask for your answers to be deleted. We keep your answers under a number, not under your name.','{"vision": "normal"}','{"screen": "1x1"}',1700000001.0,1700000003.0,1,NULL);
INSERT INTO "subject" VALUES(3,2,1,'6ee6e5ba6a31ce74b7537c56013dbe8480e5a717b80ab5d8ec4d1a25bf63cce1',1.79539071423527240752e+09,1700000000.0,'You will watch short videos and say how good they look. You can stop at any time without giving a reason, and ask for your answers to be deleted. We keep your answers under a number, not under your name.','{"vision": "normal"}','{"screen": "1x1"}',1700000001.0,1700000003.0,3,NULL);
INSERT INTO "subject" VALUES(4,2,2,'029b2d718f243b862f40a2c91bd304611cde15f3f3b9e3844040538531953878',1.79539071423603701586e+09,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL);
CREATE INDEX ix_clip_study_id ON clip (study_id);
CREATE INDEX ix_subject_study_id ON subject (study_id);
CREATE INDEX ix_audit_study_id ON audit (study_id);
CREATE INDEX ix_qa_pair_study_id ON qa_pair (study_id);
CREATE INDEX ix_presentation_clip_id ON presentation (clip_id);
CREATE INDEX ix_playback_presentation_id ON playback (presentation_id);
CREATE UNIQUE INDEX one_counting_ballot ON ballot (presentation_id) WHERE withdrawn_at IS NULL;
CREATE INDEX ix_ballot_presentation_id ON ballot (presentation_id);
COMMIT;
