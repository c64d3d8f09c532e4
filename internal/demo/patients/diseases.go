package patients

type drug struct{ name, dose string }

// disease is an ICD-10-CM code with whom it strikes, how often (per weight), and what is given for it.
type disease struct {
	code, title, department string
	from, to                int // ages, to excluded
	sex                     string
	weight                  int
	medications             []drug
}

// The weights are rough shares of adult outpatient diagnoses; the codes are those of ICD-10-CM, which is in the public domain.
var diseases = []disease{
	{"I10", "Essential hypertension", "Primary care", 30, 120, "", 120, []drug{{"lisinopril", "10 mg daily"}, {"amlodipine", "5 mg daily"}}},
	{"E78.5", "Hyperlipidemia, unspecified", "Primary care", 30, 120, "", 90, []drug{{"atorvastatin", "20 mg daily"}}},
	{"E11.9", "Type 2 diabetes mellitus without complications", "Endocrinology", 35, 120, "", 60, []drug{{"metformin", "500 mg twice a day"}}},
	{"E11.65", "Type 2 diabetes mellitus with hyperglycemia", "Endocrinology", 40, 120, "", 22, []drug{{"metformin", "1000 mg twice a day"}, {"semaglutide", "0.5 mg once a week"}}},
	{"F41.1", "Generalized anxiety disorder", "Behavioral health", 12, 90, "", 45, []drug{{"sertraline", "50 mg daily"}}},
	{"F32.9", "Major depressive disorder, single episode, unspecified", "Behavioral health", 12, 90, "", 40, []drug{{"escitalopram", "10 mg daily"}}},
	{"J45.909", "Unspecified asthma, uncomplicated", "Pulmonology", 3, 80, "", 45, []drug{{"albuterol", "as needed"}, {"fluticasone", "twice a day"}}},
	{"J44.9", "Chronic obstructive pulmonary disease, unspecified", "Pulmonology", 45, 120, "", 25, []drug{{"tiotropium", "daily"}}},
	{"K21.9", "Gastro-esophageal reflux disease without esophagitis", "Gastroenterology", 18, 120, "", 45, []drug{{"omeprazole", "20 mg daily"}}},
	{"K50.90", "Crohn's disease, unspecified, without complications", "Gastroenterology", 15, 80, "", 9, []drug{{"azathioprine", "100 mg daily"}, {"prednisone", "10 mg daily"}}},
	{"K51.90", "Ulcerative colitis, unspecified, without complications", "Gastroenterology", 15, 80, "", 9, []drug{{"mesalamine", "2.4 g daily"}}},
	{"M05.79", "Rheumatoid arthritis with rheumatoid factor, multiple sites", "Rheumatology", 25, 120, "", 14, []drug{{"methotrexate", "15 mg once a week"}, {"folic acid", "5 mg once a week"}}},
	{"M06.9", "Rheumatoid arthritis, unspecified", "Rheumatology", 25, 120, "", 10, []drug{{"hydroxychloroquine", "200 mg twice a day"}}},
	{"M17.11", "Unilateral primary osteoarthritis, right knee", "Orthopedics", 45, 120, "", 30, []drug{{"naproxen", "500 mg twice a day"}}},
	{"M54.50", "Low back pain, unspecified", "Primary care", 18, 120, "", 55, []drug{{"ibuprofen", "400 mg as needed"}}},
	{"M81.0", "Age-related osteoporosis without current pathological fracture", "Endocrinology", 55, 120, "", 20, []drug{{"alendronate", "70 mg once a week"}}},
	{"G47.33", "Obstructive sleep apnea", "Sleep medicine", 25, 120, "", 28, nil},
	{"G43.909", "Migraine, unspecified, not intractable", "Neurology", 10, 70, "", 24, []drug{{"sumatriptan", "50 mg as needed"}}},
	{"G35.A", "Relapsing-remitting multiple sclerosis", "Neurology", 18, 70, "", 4, []drug{{"glatiramer", "40 mg three times a week"}}},
	{"I25.10", "Atherosclerotic heart disease of native coronary artery", "Cardiology", 45, 120, "", 28, []drug{{"aspirin", "81 mg daily"}, {"metoprolol", "50 mg daily"}}},
	{"I48.91", "Unspecified atrial fibrillation", "Cardiology", 50, 120, "", 22, []drug{{"apixaban", "5 mg twice a day"}}},
	{"N18.31", "Chronic kidney disease, stage 3a", "Nephrology", 50, 120, "", 18, []drug{{"losartan", "50 mg daily"}}},
	{"H35.3231", "Exudative age-related macular degeneration, bilateral", "Ophthalmology", 60, 120, "", 10, nil},
	{"L40.0", "Psoriasis vulgaris", "Dermatology", 15, 90, "", 12, []drug{{"betamethasone", "cream daily"}}},
	{"C50.911", "Malignant neoplasm of right female breast, unspecified site", "Oncology", 35, 120, "female", 9, []drug{{"tamoxifen", "20 mg daily"}}},
	{"C61", "Malignant neoplasm of prostate", "Oncology", 50, 120, "male", 9, []drug{{"leuprolide", "every 3 months"}}},
	{"O80", "Encounter for full-term uncomplicated delivery", "Obstetrics", 18, 45, "female", 14, nil},
	{"J06.9", "Acute upper respiratory infection, unspecified", "Primary care", 0, 120, "", 60, nil},
	{"H66.90", "Otitis media, unspecified", "Pediatrics", 0, 12, "", 70, []drug{{"amoxicillin", "twice a day"}}},
	{"F90.2", "Attention-deficit hyperactivity disorder, combined type", "Behavioral health", 6, 40, "", 22, []drug{{"methylphenidate", "18 mg daily"}}},
	{"B20", "Human immunodeficiency virus disease", "Infectious disease", 18, 80, "", 3, []drug{{"bictegravir combination", "daily"}}},
	{"Z00.00", "General adult medical examination", "Primary care", 18, 120, "", 60, nil},
	{"Z00.129", "Routine child health examination", "Pediatrics", 0, 18, "", 90, nil},
}
