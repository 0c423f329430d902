// The whole life of a conference with an SDK in JavaScript: `life.js twilio|signalwire`, settings as JSON on standard
// input. Prints what it saw as JSON.
const kind = process.argv[2];
const settings = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const load = (name) => require(require.resolve(name, { paths: [process.cwd()] }));

function connect(user, token) {
  let client;
  if (kind === 'signalwire') {
    const { RestClient } = load('@signalwire/compatibility-api');
    client = RestClient(user, token, { signalwireSpaceUrl: 'space.example' });
  } else {
    client = load('twilio')(user, token);
  }
  client.api.baseUrl = settings.base_url;
  return client;
}

async function until(what) {
  const deadline = Date.now() + 20000;
  while (Date.now() < deadline) {
    if (await what()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('not in time');
}

async function refused(promise) {
  try {
    await promise;
    return ['nothing', null, null];
  } catch (error) {
    return [error.constructor.name, error.status, error.code];
  }
}

async function main() {
  const client = connect(settings.user, settings.token);
  const room = client.conferences(`life ${settings.name}`);
  const call = {
    from: '+15550009999',
    to: settings.answers,
    statusCallback: settings.callback,
    statusCallbackEvent: ['initiated', 'ringing answered', 'completed'],
    conferenceStatusCallback: settings.callback,
    conferenceStatusCallbackEvent: ['start end join leave mute'],
  };
  const first = await room.participants.create({ ...call, label: 'cust 1-1', beep: 'true', record: false });
  const second = await room.participants.create({ ...call, label: 'second', muted: true });
  const conference = client.conferences(first.conferenceSid);
  await until(async () => (await conference.fetch()).status === 'in-progress');
  const seen = { created: [first.callSid.length, first.status], date: first.dateCreated instanceof Date };
  seen.fetched = (await conference.participants('cust 1-1').fetch()).callSid === first.callSid;
  seen.muted = [
    second.muted,
    (await conference.participants('second').fetch()).muted,
    (await conference.participants('second').update({ muted: false })).muted,
  ];
  seen['muted again'] = (await conference.participants(first.callSid).update({ muted: true })).muted;
  seen['listed muted'] = (await conference.participants.list({ muted: true })).map((row) => row.callSid === first.callSid);
  const held = await conference.participants(first.callSid).update({ hold: true, holdUrl: settings.hold_url });
  seen.held = [held.hold, (await conference.participants(first.callSid).update({ hold: false })).hold];
  const coach = await conference
    .participants(second.callSid)
    .update({ coaching: true, callSidToCoach: first.callSid });
  seen.coaches = [coach.coaching, coach.callSidToCoach === first.callSid];
  seen.barges = (await conference.participants(second.callSid).update({ coaching: false, callSidToCoach: '' })).coaching;
  const named = await client.conferences.list({ friendlyName: `life ${settings.name}` });
  seen.named = named.length === 1 && named[0].sid === first.conferenceSid;
  seen.removed = await conference.participants('second').remove();
  seen.gone = await refused(conference.participants('second').fetch());
  seen.unknown = await refused(client.conferences(settings.unknown).fetch());
  seen.bad = await refused(room.participants.create({ from: '+15550009999', to: 'nobody!' }));
  seen['wrong token'] = await refused(connect(settings.user, '0'.repeat(32)).conferences(first.conferenceSid).fetch());
  const crowd = client.conferences(settings.crowd).participants;
  seen.pages = [];
  let page = await crowd.page({ pageSize: 50 });
  while (page) {
    seen.pages.push(page.instances.length);
    page = page.nextPageUrl ? await crowd.getPage(page.nextPageUrl) : undefined;
  }
  const everybody = await crowd.list({ pageSize: 50 });
  seen.everybody = [everybody.length, new Set(everybody.map((row) => row.callSid)).size];
  seen['limit 5000'] = (await crowd.list({ limit: 5000 })).length;
  const ended = await conference.update({ status: 'completed' });
  seen.ended = [ended.status, (await conference.fetch()).status];
  seen.sid = first.conferenceSid;
  console.log(JSON.stringify(seen));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
