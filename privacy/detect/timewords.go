package detect

// timeWords are what dates and durations are made of, in the languages of Europe.
var timeWords = []entry{
	{sMonth | sEnglish, `january february march april may june july august september october november december
		jan feb mar apr jun jul aug sep sept oct nov dec`},
	{sMonth, `januar januari janvier enero gennaio janeiro styczeń stycznia leden ledna ianuarie január januára tammikuu tammikuuta tammikuussa
		jänner ocak ιανουάριος ιανουαρίου январь января январе січень січня siječanj siječnja gener януари jaanuar janvāris sausio`},
	{sMonth, `februar februari février fevrier febrero febbraio fevereiro luty lutego únor února februarie február februára helmikuu
		helmikuuta helmikuussa feber şubat φεβρουάριος φεβρουαρίου февраль февраля феврале лютий лютого veljača veljače febrer февруари veebruar vasario`},
	{sMonth, `märz maart mars marzo março marzec marca březen března martie március marec maaliskuu maaliskuuta maaliskuussa mart marts
		μάρτιος μαρτίου март марта марте березень березня ožujak ožujka març märts kovo`},
	{sMonth, `avril abril aprile kwiecień kwietnia duben dubna aprilie április apríl apríla huhtikuu huhtikuuta huhtikuussa nisan
		απρίλιος απριλίου апрель апреля апреле квітень квітня travanj travnja aprill balandžio`},
	{sMonth, `mai mei maj mayo maggio maio maja května květen május mája toukokuu toukokuuta toukokuussa mayıs μάιος μαΐου мая
		май мае травень травня svibanj svibnja maig gegužės`},
	{sMonth, `juni juin junio giugno junho czerwiec czerwca červen června iunie június jún júna kesäkuu kesäkuuta kesäkuussa haziran
		ιούνιος ιουνίου июнь июня июне червень червня lipanj lipnja juny юни juuni birželio`},
	{sMonth, `juli juillet julio luglio julho lipiec lipca července červenec iulie július júl júla heinäkuu heinäkuuta heinäkuussa temmuz
		ιούλιος ιουλίου июль июля июле липень липня srpanj srpnja juliol юли juuli liepos`},
	{sMonth, `augusti août aout agosto augustus sierpień sierpnia srpen srpna augusztus augusta elokuu elokuuta elokuussa ağustos
		αύγουστος αυγούστου август августа августе серпень серпня kolovoz kolovoza agost rugpjūčio`},
	{sMonth, `septembre septiembre settembre setembro wrzesień września září septembrie szeptember septembra syyskuu syyskuuta syyskuussa
		eylül σεπτέμβριος σεπτεμβρίου сентябрь сентября сентябре вересень вересня rujan rujna setembre септември rugsėjo`},
	{sMonth, `oktober octobre octubre ottobre outubro październik października říjen října octombrie október októbra lokakuu lokakuuta
		lokakuussa ekim οκτώβριος οκτωβρίου октябрь октября октябре жовтень жовтня listopad listopada oktoober spalio`},
	{sMonth, `novembre noviembre novembro listopadu noiembrie marraskuu marraskuuta marraskuussa kasım νοέμβριος νοεμβρίου ноябрь ноября
		ноябре листопад листопада studeni studenoga ноември lapkričio`},
	{sMonth, `dezember desember décembre decembre diciembre dicembre dezembro grudzień grudnia prosinec prosince decembrie joulukuu
		joulukuuta joulukuussa aralık δεκέμβριος δεκεμβρίου декабрь декабря декабре грудень грудня prosinac prosinca desembre декември detsember gruodžio`},
	{sMonth | sRare, `jän janv ene gen ian sty янв févr fév fev lut фев mrz mär mrt marz мар avr abr kwi апр maí mag июн juil lug lip июл août
		ago sie авг set wrz сен okt out ott paź окт lis noi ноя dez dic déc gru дек des`},

	{sWeekday, `monday tuesday wednesday thursday friday saturday sunday mondays tuesdays wednesdays thursdays fridays saturdays sundays
		montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag lundi mardi mercredi jeudi vendredi samedi dimanche
		lunes martes miércoles miercoles jueves viernes sábado domingo lunedì martedì mercoledì giovedì venerdì sabato domenica
		maandag dinsdag woensdag donderdag vrijdag zaterdag zondag poniedziałek wtorek środa środę czwartek piątek sobota sobotę niedziela
		niedzielę pondělí úterý středa středu čtvrtek pátek neděle neděli segunda-feira terça-feira quarta-feira quinta-feira sexta-feira
		marți miercuri vineri sâmbătă duminică hétfő kedd szerda csütörtök péntek szombat vasárnap måndag tisdag onsdag torsdag fredag lördag
		söndag mandag tirsdag lørdag søndag maanantai maanantaina tiistai tiistaina keskiviikko keskiviikkona torstai torstaina perjantai
		perjantaina lauantai lauantaina sunnuntai sunnuntaina pazartesi çarşamba perşembe cumartesi δευτέρα τρίτη τετάρτη πέμπτη παρασκευή
		σάββατο κυριακή понедельник вторник среда среду четверг пятница пятницу суббота субботу воскресенье понеділок вівторок середа середу
		четвер пʼятниця субота неділя`},
	{sDayShort, `mon tue tues wed thu thur thurs fri sat sun`},
	{sSeason, `spring summer autumn winter printemps été automne hiver frühjahr frühling sommer herbst primavera verano otoño invierno
		autunno inverno lente zomer herfst wiosna wiosną lato latem jesień jesienią zima zimą`},
	{sSeason, `quarter trimester semester quartal trimestre kwartał`},
	{sYearCue, `in since until till til from before after during circa ca c about around between by early late mid year years dated established est
		founded born died vintage class spring summer autumn fall winter copyright season edition of through end beginning fy
		seit bis im jahr jahre jahres ab vor nach von zwischen anno depuis en avant après jusqu'en année an dès desde hasta año el dal nel del
		fino dopo prima sinds tot vanaf voor jaar jaren om w od do roku rok latach przed po v od före efter från sedan år fra siden til før
		etter vuonna vuodesta vuoteen ano até em în din anul óta с до года году в από το έως από η έτος năm`},
	{sUnit, `day days week weeks fortnight month months year years yr yrs decade decades
		tag tage tagen woche wochen monat monate monaten jahr jahre jahren jour jours semaine semaines mois an ans année années
		día días dia dias semana semanas mes meses año años giorno giorni settimana settimane mese mesi anno anni dag dagen weken maand
		maanden jaar jaren dzień dni tydzień tygodnie tygodni miesiąc miesiące miesięcy rok lata lat den dny týden týdny týdnů měsíc měsíce
		měsíců roky roků let ano anos mês zi zile săptămâni luni ani nap hét hónap év dagar vecka veckor månad månader år uke uker måneder
		måned uge uger päivä päivää viikko viikkoa kuukausi kuukautta vuosi vuotta gün hafta ay yıl ημέρες εβδομάδες μήνες έτη χρόνια ετών
		день дня дней неделя недели недель месяц месяца месяцев год года лет дні днів тижні тижнів місяць місяці місяців рік роки років`},
	{sShortUnit, `hour hours hr hrs minute minutes mins stunde stunden minuten heure heures hora horas ora ore uur uren godzina godziny godzin
		hodin timme timmar timer tuntia saat час часа часов годин`},
	{sCount, `two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen
		twenty thirty forty fifty sixty seventy eighty ninety hundred`},
	{sJoin, `to and or until till through bis und oder au et ou à al a y e o och og ja do i až en of tot und és și ve και και по и до та`},
	{sOf, `of de del di da do den der la le el d af af van`},
	{sAtCue, `at um gegen à alle às las klo kl kello o godz o v в om ab until till from since before after by between`},
	{sClock, `uhr hrs hours heures h horas uur ore godz hod`},
}

var ageWords = []entry{
	{sAgeCue, `age aged ages alter alters edad âge âgé âgée âgés agé agée età leeftijd wiek wieku věk věku ålder alder aldersgrense ikä yaş yaşı
		возраст возрасте ηλικία ηλικίας вік віком idade vârsta vârstă életkor`},
	{sAgeVerb, `turn turns turned turning`},
	{sPerson, `man woman boy girl male female lady gentleman mann frau homme femme hombre mujer uomo donna`},
	{sOld, `old alt alte alter altes oud vieux gammal gammel gamle gamla`},
	{sOldWord, `jährige jähriger jährigen jähriges jährig årig årige åring letni letnia letniego letniej letý letá letého vuotias vuotiaan
		летний летняя летнего летней річний річна річного éves yaşındaki yaşında jarige yo`},
}
