"""Faults in connector.py, each with the test that must notice it: see tools/run_faults.py.

There is one for each guarantee, and for each row of a rule. A fault names a function, a class or a
constant of connector.py, what to find there, and what to put in its place: see helpers/fault.py.
"""

# flake8: noqa: E501 (the name of a test, or a statement of the connector, is not broken)

from fault import Fault

FAULTS = {
    "First contact: names": [
        Fault(
            "A name in other capitals is another name",
            r"fold_name: re.sub(r'[-_\s]+', '', name).lower() => re.sub(r'[-_\s]+', '', name)",
            "first_contact::times_in_camel_case_keep_the_cursor_and_make_the_next_sync_incremental",
        ),
        Fault(
            "A name with another sign in it is another name",
            r"fold_name: re.sub(r'[-_\s]+', '', name).lower() => name.lower()",
            "first_contact::the_key_is_found_in_any_spelling",
        ),
        Fault(
            "Another spelling takes the place of the exact name",
            "find_spellings: column not in names => True",
            "first_contact::the_exact_name_wins_and_the_other_spelling_is_kept_aside",
        ),
        Fault(
            "A field named like a declared column, or like `other_fields`, becomes a column",
            "is_column_name: fold_name(name) not in taken => True",
            "first_contact::a_field_named_like_a_column_of_the_connector_or_of_fivetran_is_kept_aside",
        ),
        Fault(
            "A field called `_Fivetran_Synced` becomes a column",
            r"__COLUMN_NAME: r'(?![\W_]+fivetran)' => ''",
            "first_contact::a_field_named_like_a_column_of_the_connector_or_of_fivetran_is_kept_aside",
        ),
        Fault(
            "A list called `Users` is not found",
            "find_list: spelled.get(fold_name(name)) => None",
            "first_contact::the_list_of_users_is_found_in_any_spelling",
        ),
        Fault(
            "An answer without the list does not name its fields",
            "read_answer: name_fields(fields) => 'not named'",
            "first_contact::another_shape_names_what_is_there_but_no_person",
        ),
        Fault(
            "Users without a key do not name their fields",
            "deliver_page: name_fields(users[0]) => 'not named'",
            "first_contact::users_without_the_key_are_reported_with_the_names_of_their_fields",
        ),
        Fault(
            "Any number of fields is named",
            "name_fields: found[:__MAX_NAMED_FIELDS] => found",
            "first_contact::no_name_that_may_be_a_value_is_reported_and_ten_names_at_most",
        ),
        Fault(
            "A field that is named by a user's address or number is shown",
            "name_fields: '[A-Za-z_]+' => '.+'",
            "first_contact::no_name_that_may_be_a_value_is_reported_and_ten_names_at_most",
        ),
        Fault(
            "A 404 does not say that the tenant's API may lack the method",
            "__ADVICE: \"or your tenant's API lacks this method\" => ''",
            "messages::whatever_the_api_answers_the_last_message_says_what_to_do",
        ),
        Fault(
            "Small pages are not reported",
            "log_small_pages: came < __SMALL_PAGE => False",
            "first_contact::an_api_that_knows_the_page_size_by_another_name_is_reported_once",
        ),
    ],
    "First contact: recipes": [
        Fault(
            "A list inside an object is not found",
            "find_list: __LIST.split('.') => [__LIST]",
            "recipes::a_recipe_is_all_that_such_an_api_needs[Read the list of users from another place]",
        ),
        Fault(
            "An answer that is the list itself is not found",
            "find_list: filter(None, __LIST.split('.')) => __LIST.split('.')",
            "recipes::an_answer_that_is_the_list_itself_is_read_as_the_recipe_says",
        ),
        Fault(
            "The first page is number 1 at every API",
            "make_request_with_retry: page - 1 + __FIRST_PAGE => page",
            "recipes::a_recipe_is_all_that_such_an_api_needs[Count pages from 0]",
        ),
        Fault(
            "A parameter for every request is not sent",
            "make_request_with_retry: {**params, **__OTHER_PARAMS} => params",
            "recipes::a_recipe_is_all_that_such_an_api_needs[Send a parameter with every request]",
        ),
        Fault(
            "The key is sent in one form only",
            "open_api: value.format(key=settings['api_key']) => settings['api_key']",
            "recipes::a_recipe_is_all_that_such_an_api_needs[Send the key as a Bearer token]",
        ),
    ],
    "Destination, state and failure": [
        Fault(
            "A balance is not declared as a number",
            "__COLUMNS: 'DOUBLE' => 'STRING'",
            "sync::the_declared_columns_have_their_types_even_where_all_are_null",
        ),
        Fault(
            "A page is checkpointed with the new cursor",
            "read_pass: sync.state => {**sync.state, 'last_sync_time': sync.cursor}",
            "interruptions::each_page_is_checkpointed_with_the_state_that_the_sync_began_with",
        ),
        Fault(
            "A page is not checkpointed",
            "read_pass: op.checkpoint(state=sync.state) => pass",
            "interruptions::what_was_read_before_an_outage_is_kept_and_the_next_sync_begins_at_page_1",
        ),
        Fault(
            "A stored time that cannot be read is ignored",
            "start_sync: parse_timestamp(text) is None => False",
            "interruptions::a_stored_value_that_cannot_be_read_is_an_error_that_names_it",
        ),
        Fault(
            "A stored number of users may be anything",
            "start_sync: type(state.get('users', 0)) is not int => False",
            "interruptions::a_stored_value_that_cannot_be_read_is_an_error_that_names_it[users-True]",
        ),
        Fault(
            "Other names stay in the state",
            "finish_sync: {name: sync.state[name] for name in names if name in sync.state} => dict(sync.state)",
            "interruptions::other_names_in_a_state_are_passed_over",
        ),
        Fault(
            "An error does not reach the dashboard",
            "update: op.error(message=str(error)) => pass",
            "requests::what_was_read_before_a_failure_is_kept",
        ),
        Fault(
            "A sync that failed ends well where op.error() returns",
            "update: raise type(error)(str(error)) from None => pass",
            "first_contact::deployed_the_dashboard_gets_the_sentence_and_the_sync_fails",
        ),
        Fault(
            "An error that nobody foresaw leaves no crash report",
            "update: raise SyncError(describe_unforeseen(error)) from None => op.error(message='An error')",
            "secrets::an_error_of_the_connector_itself_names_its_line_and_shows_nobody",
        ),
        Fault(
            "The session is not closed",
            "update: api.session => __import__('contextlib').nullcontext()",
            "requests::connections_are_kept_until_the_sync_ends",
        ),
    ],
    "Requests: the session": [
        Fault(
            "The connector does not name itself",
            "open_api: 'User-Agent' => 'X-Agent'",
            "requests::each_request_carries_the_headers",
        ),
        Fault(
            "A server that never answers is waited for",
            "send_request: __TIMEOUT_SECONDS => None",
            "requests::a_passing_fault_is_got_over_and_reported[never answered]",
        ),
        Fault(
            "A redirect is followed",
            "send_request: api.session.get(api.url, params=params, timeout=__TIMEOUT_SECONDS, allow_redirects=False) => api.session.get(api.url, params=params, timeout=__TIMEOUT_SECONDS)",
            "requests::a_redirect_is_not_followed_and_its_host_is_named",
        ),
        Fault(
            "A redirect is reported with all its parameters",
            "check_status: urlsplit(response.headers.get('Location', '')).hostname => response.headers.get('Location')",
            "requests::a_redirect_is_not_followed_and_its_host_is_named",
        ),
        Fault(
            "The key goes along as a parameter",
            "make_request_with_retry: {**params, **__OTHER_PARAMS} => {**params, 'apiKey': api.session.headers['apiKey']}",
            "secrets::a_request_holds_the_key_in_its_header_only",
        ),
        Fault(
            "A cookie is sent back",
            "open_api: session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[])) => pass",
            "requests::no_cookie_is_sent_back",
        ),
        Fault(
            "The password of ~/.netrc goes along",
            "open_api: session.auth = lambda request: request => pass",
            "requests::no_password_of_the_home_folder_goes_along",
        ),
        Fault(
            "http to this machine goes through a proxy",
            "open_api: session.trust_env = False => pass",
            "requests::http_to_this_machine_goes_past_every_proxy",
        ),
        Fault(
            "The proxy of the environment is not used",
            "open_api: settings['base_url'].lower().startswith('http:') => True",
            "requests::https_goes_through_the_proxy_that_the_environment_names",
        ),
    ],
    "Requests: what is tried again": [
        Fault(
            "A status that only Cloudflare has is no outage",
            "__RETRIED_STATUSES: 600 => 512",
            "requests::a_status_of_an_outage_is_got_over",
        ),
        Fault(
            "A 429 without a Retry-After fails at once",
            "check_status: status == 429 => False",
            "pages::a_rate_limit_does_not_send_a_sync_into_small_pages",
        ),
        Fault(
            "A status with a Retry-After fails at once",
            "check_status: 'Retry-After' in response.headers => False",
            "requests::any_status_with_a_retry_after_is_waited_for",
        ),
        Fault(
            "A time-out fails at once",
            "send_request: requests.Timeout => KeyError",
            "requests::a_passing_fault_is_got_over_and_reported[never answered]",
        ),
        Fault(
            "A body that cannot be decoded is taken for a wrong address",
            "send_request: requests.exceptions.ContentDecodingError => KeyError",
            "requests::a_passing_fault_is_got_over_and_reported[gzip that is none]",
        ),
        Fault(
            "A body that is cut short is taken for a wrong address",
            "send_request: requests.exceptions.ChunkedEncodingError => KeyError",
            "requests::a_passing_fault_is_got_over_and_reported[body cut short]",
        ),
        Fault(
            "A web page is called no JSON and no more",
            "parse_json: b'<' => b'?'",
            "requests::a_passing_fault_is_got_over_and_reported[HTML]",
        ),
        Fault(
            "A 202 without users is nobody",
            "read_answer: status == 202 => False",
            "requests::a_202_without_users_is_asked_again",
        ),
        Fault(
            "Only a 200 is an answer",
            "send_request: response.status_code < 300 => response.status_code == 200",
            "requests::every_2xx_with_users_is_an_answer",
        ),
        Fault(
            "A wait has no jitter",
            "make_request_with_retry: random.uniform(0.75, 1.25) => 1",
            "requests::waits_have_jitter_so_that_clients_do_not_return_together",
        ),
        Fault(
            "A wait has no limit",
            "make_request_with_retry: min(backoff, __MAX_BACKOFF_SECONDS) => backoff",
            "requests::waits_double_up_to_a_minute",
        ),
        Fault(
            "A Retry-After is not obeyed",
            "make_request_with_retry: max(min(backoff, __MAX_BACKOFF_SECONDS), retry_after or 0) => min(backoff, __MAX_BACKOFF_SECONDS)",
            "requests::the_api_says_how_long_to_wait",
        ),
        Fault(
            "A Retry-After of hours is slept through",
            "make_request_with_retry: (retry_after or 0) > api.max_retry_after_seconds => False",
            "requests::hours_of_waiting_are_not_slept_but_reported",
        ),
        Fault(
            "A Retry-After of an hour is too long",
            "__MAX_RETRY_AFTER_SECONDS: 3_600 => 600",
            "requests::a_wait_of_an_hour_is_slept",
        ),
        Fault(
            "A Retry-After with a point is nonsense",
            r"read_retry_after: r'\d+(\.\d*)?' => r'\d+'",
            "requests::the_api_says_how_long_to_wait",
        ),
        Fault(
            "A date in Retry-After is read by this machine's clock",
            "read_retry_after: read_date(response, 'Date') or now() => now()",
            "requests::a_date_to_wait_for_is_read_by_the_clock_of_the_server",
        ),
        Fault(
            "A date that cannot be read ends the sync",
            "read_date: suppress(IndexError, OverflowError, TypeError, ValueError) => suppress(KeyError)",
            "requests::nonsense_for_a_wait_means_the_ordinary_one",
        ),
        Fault(
            "A rate limit sends a sync into small pages",
            "make_request_with_retry: PageError if retry_after is None else SyncError => PageError",
            "pages::a_rate_limit_that_lasts_is_an_error_after_all_attempts",
        ),
        Fault(
            "A rate limit gets two attempts in large pages",
            "make_request_with_retry: attempts if retry_after is None else __ATTEMPTS => attempts",
            "pages::a_rate_limit_does_not_send_a_sync_into_small_pages",
        ),
    ],
    "Requests: what fails at once": [
        Fault(
            "A key that is refused is tried again",
            "check_status: raise SyncError(message) => raise AttemptFailed(message, None)",
            "requests::a_refusal_fails_at_once",
        ),
        Fault(
            "A refusal past the last page is always an error",
            "check_status: return Answer([], refusal=message) => raise PageError(message)",
            "pages::a_first_sync_ends_however_the_api_says_so",
        ),
        Fault(
            "A refusal on a later page blames the settings",
            "advise: page == 1 => True",
            "requests::a_refusal_later_in_a_sync_does_not_send_people_to_settings_that_work",
        ),
        Fault(
            "A redirect on a later page advises another address",
            "check_status: page == 1 => True",
            "messages::whatever_the_api_answers_the_last_message_says_what_to_do",
        ),
        Fault(
            "A key that is refused on a later page is not named",
            "advise: status in (401, 403, 407) => False",
            "messages::whatever_the_api_answers_the_last_message_says_what_to_do",
        ),
        Fault(
            "A certificate that does not verify is tried again",
            "describe_connection_failure: isinstance(error, ssl.SSLCertVerificationError) => False",
            "requests::a_certificate_that_does_not_verify_fails_at_once_and_is_named",
        ),
        Fault(
            "A bundle of authorities that cannot be read is tried again",
            "describe_connection_failure: getattr(error, 'library', '') == 'X509' => False",
            "requests::a_bundle_of_authorities_that_cannot_be_read_fails_at_once_and_is_named",
        ),
        Fault(
            "A proxy that asks for a password is tried again",
            "describe_connection_failure: 'failed: 407' in str(error) => False",
            "requests::a_proxy_that_asks_for_a_password_fails_at_once_and_is_named",
        ),
        Fault(
            "An address that no request can go to is a bug of the connector",
            "send_request: (OSError, ValueError) => KeyError",
            "requests::an_address_that_no_request_can_go_to_is_an_error_that_helps",
        ),
        Fault(
            "Only the address is named where no request can go",
            "__CONNECTION_ADVICE: ', the proxy settings of this machine and REQUESTS_CA_BUNDLE' => ''",
            "requests::a_machine_from_which_no_request_can_go_is_reported_with_what_to_check",
        ),
        Fault(
            "The reason of the attempt before is reported",
            "describe_connection_failure: not isinstance(error.__context__, (SyncError, AttemptFailed)) => True",
            "requests::the_reason_of_a_failure_is_not_that_of_the_one_before",
        ),
        Fault(
            "The error of a size that is refused does not name the constant",
            "__ADVICE: ', and lower __SMALL_PAGE' => ''",
            "setup_form::an_api_that_refuses_even_small_pages_names_the_constant_to_lower",
        ),
    ],
    "Requests: an error is never the end": [
        Fault(
            "An error in a 200 is an answer",
            "read_answer: tells_error(fields, users) => False",
            "pages::an_error_in_a_200_is_never_the_end",
        ),
        Fault(
            "`success`, `ok` or `isSuccess` false is no error",
            "__FAILURES: 'success ok issuccess' => 'successful'",
            "requests::an_error_inside_a_200_is_tried_again_and_then_an_error",
        ),
        Fault(
            "`status`, `statusCode` or `code` 500 is no error",
            r"__FAILURES: r'[4-9]\d\d|' => ''",
            "requests::an_error_inside_a_200_is_tried_again_and_then_an_error",
        ),
        Fault(
            "A status in words is no error",
            "__FAILURES: 'error|fail|failed|' => ''",
            "requests::an_error_inside_a_200_is_tried_again_and_then_an_error",
        ),
        Fault(
            "`timedOut` is no error",
            "__FAILURES: 'true' => 'never'",
            "requests::an_error_inside_a_200_is_tried_again_and_then_an_error",
        ),
        Fault(
            "Something in a field for errors is no error",
            "__FAILURES: __ERROR => 'never'",
            "requests::an_error_inside_a_200_is_tried_again_and_then_an_error",
        ),
        Fault(
            "A word of failure counts in one spelling only",
            "tells_error: {fold_name(name): fields[name] for name in fields} => dict(fields)",
            "requests::an_error_inside_a_200_is_tried_again_and_then_an_error",
        ),
        Fault(
            "An error that comes without `success` or users is nobody",
            "tells_error: failures['message detail'] = __ERROR => pass",
            "requests::an_error_inside_a_200_is_tried_again_and_then_an_error",
        ),
        Fault(
            "A field for errors is one, whatever it holds",
            r"__ERROR: r'(?!(0|200|false|none|null|ok|success|\[\])$).+' => '.+'",
            "requests::a_field_for_errors_that_holds_none_is_no_error",
        ),
        Fault(
            "A request id beside a code is an error",
            "list_texts: [inner[name] for name in ('code', 'message') if name in inner] => []",
            "requests::a_field_for_errors_that_holds_none_is_no_error",
        ),
        Fault(
            "What the API says of an error in a 200 is not quoted",
            "read_answer: f'it reports an error, see tells_error(){quote_error(response)}' => 'it reports an error'",
            "requests::what_the_api_says_of_an_error_inside_a_200_is_quoted",
        ),
    ],
    "Requests: what is quoted": [
        Fault(
            "A message inside another is not quoted",
            "find_message: map(find_message, said) => (text for text in said if isinstance(text, str))",
            "requests::what_the_api_says_of_an_error_is_quoted_in_200_characters",
        ),
        Fault(
            "Anything in an error is quoted",
            "find_message: [said.get(name) for name in ('message', 'error', 'errors', 'detail')] => list(said.values())",
            "requests::nothing_else_of_an_error_is_quoted",
        ),
        Fault(
            "What the API said is quoted at length",
            "quote_error: line[:__MAX_QUOTED_CHARACTERS] => line",
            "requests::what_the_api_says_of_an_error_is_quoted_in_200_characters",
        ),
        Fault(
            "The API's own control characters are quoted",
            "quote_error: sign.isprintable() => True",
            "requests::what_the_api_said_cannot_steer_a_terminal",
        ),
        Fault(
            "A key that the API echoes is shown",
            "quote_error: re.sub(re.escape(written), '****', text, flags=re.IGNORECASE) => text",
            "secrets::a_key_that_the_api_echoes_is_not_shown",
        ),
        Fault(
            "A key that is echoed as in an address is shown",
            "quote_error: (key, quote(key), quote(key, safe='')) => [key]",
            "secrets::a_key_that_the_api_echoes_is_not_shown",
        ),
        Fault(
            "Only a key in its own capitals is masked",
            "quote_error: re.sub(re.escape(written), '****', text, flags=re.IGNORECASE) => text.replace(written, '****')",
            "secrets::a_key_that_the_api_echoes_is_not_shown[in capitals, twice]",
        ),
        Fault(
            "An error of the API is cut before the key in it is masked",
            "quote_error: find_message(said) => find_message(said)[:200]",
            "secrets::a_key_that_the_api_echoes_is_not_shown[where the text is cut]",
        ),
        Fault(
            "A key is masked only with the words around it",
            "quote_error: str(response.request.headers[header]).removeprefix(before).removesuffix(after) => str(response.request.headers[header])",
            "secrets::a_key_is_masked_where_the_api_echoes_it_without_what_stands_around_it",
        ),
        Fault(
            "The key is shown where the variables of the connector are printed",
            "Api: url: str => url: str; __repr__ = lambda self: str(self.session.headers)",
            "secrets::what_holds_the_key_does_not_show_it_when_printed",
        ),
        Fault(
            "A failure keeps the frames that hold the key and users",
            "update: raise type(error)(str(error)) from None => raise",
            "secrets::no_frame_of_an_error_holds_the_key_or_a_user",
        ),
        Fault(
            "An unforeseen error of this file is quoted",
            "describe_unforeseen: places[-1].filename == __file__ => False",
            "secrets::an_error_of_the_connector_itself_names_its_line_and_shows_nobody",
        ),
    ],
    "Requests: JSON as APIs write it": [
        Fault(
            "A byte that is no UTF-8 makes a body unreadable",
            "parse_json: response.encoding = response.encoding or 'utf-8' => raise",
            "requests::a_body_is_read_as_apis_write_it",
        ),
        Fault(
            "A byte order mark makes a body unreadable",
            "parse_json: 'utf-8-sig' => 'utf-8'",
            "requests::a_body_is_read_as_apis_write_it[a byte order mark]",
        ),
        Fault(
            "The charset that the header names is not used",
            "parse_json: response.encoding or 'utf-8' => 'utf-8'",
            "requests::a_body_is_read_as_apis_write_it[ISO-8859-1]",
        ),
        Fault(
            "Half an emoji fails the sync",
            r"parse_json: b'\\ud' in response.content.lower() => False",
            "rows::half_an_emoji_is_replaced_wherever_it_stands",
        ),
        Fault(
            "A control character in a text is no JSON",
            "load_json: False => True",
            "rows::control_characters_end_nothing",
        ),
        Fault(
            "An integer beyond 64 bits is a float of 32",
            "load_json: int(text) if len(text) < 20 and abs(int(text)) < 2**63 else text => int(text)",
            "rows::undeclared_values_are_exact",
        ),
        Fault(
            "A number that no double can hold is infinite",
            "load_json: float(text) if math.isfinite(float(text)) else text => float(text)",
            "rows::numbers_that_no_double_can_hold_are_kept_aside_or_null",
        ),
        Fault(
            "NaN is a number, so that users without an identifier share one",
            "load_json: lambda name: None => float",
            "rows::users_without_an_identifier_are_skipped_counted_and_reported_once",
        ),
    ],
    "Rows": [
        Fault(
            "A boolean is an identifier",
            "identify: type(value) in (int, float) => isinstance(value, (int, float))",
            "rows::users_without_an_identifier_are_skipped_counted_and_reported_once",
        ),
        Fault(
            "1001.0 is not 1001",
            "identify: value if value % 1 else int(value) => value",
            "rows::an_identifier_with_a_point_one_day_is_the_same_user",
        ),
        Fault(
            "Blanks around an identifier make another person",
            "identify: return value.strip() => return value",
            "rows::blanks_around_an_identifier_make_no_second_person",
        ),
        Fault(
            "What cannot be read is nowhere",
            "read_row: {**row, __OTHER_FIELDS: others} if others else row => row",
            "rows::what_cannot_be_read_is_null_counted_and_kept_as_it_came",
        ),
        Fault(
            "What cannot be read is not counted",
            "read_row: 1 => 0",
            "rows::what_cannot_be_read_is_null_counted_and_kept_as_it_came",
        ),
        Fault(
            "An infinite balance is a number",
            "read_declared: math.isfinite(number) => True",
            "rows::what_cannot_be_read_is_null_counted_and_kept_as_it_came[balance]",
        ),
        Fault(
            "A balance in a text is unreadable",
            "read_declared: float(value) => float([value] if isinstance(value, str) else value)",
            "rows::a_balance_is_a_number_of_64_bits",
        ),
        Fault(
            "An object in a text column is stored in Python's notation",
            "read_declared: None if isinstance(value, (dict, list)) else json.dumps(value) => str(value)",
            "rows::an_object_where_a_text_belongs_is_null_counted_and_kept",
        ),
        Fault(
            "A boolean in a text column is written as Python writes it",
            "read_declared: json.dumps(value) => str(value)",
            "rows::text_stays_text",
        ),
        Fault(
            "A float is stored with 32 bits",
            "encode_undeclared: isinstance(value, float) => False",
            "rows::undeclared_values_are_exact",
        ),
        Fault(
            "A float without a point is text",
            r"encode_undeclared: re.sub(r'\A(-?\d+)e', r'\1.0e', repr(value)) => repr(value)",
            "rows::undeclared_values_are_exact",
        ),
        Fault(
            "A time without seconds fails the sync",
            r"encode_undeclared: __ZONED_MINUTE.sub(r'\1:00\2', value) => value",
            "rows::a_time_without_seconds_is_the_time_it_means",
        ),
        Fault(
            "A number in digits of other scripts fails the sync",
            "read_row: is_foreign_number(value) => False",
            "rows::text_that_the_sdk_takes_for_a_number_it_cannot_read_is_kept_aside",
        ),
        Fault(
            "Fields with names in other scripts share one column",
            "is_column_name: __COLUMN_NAME.fullmatch(name) => name",
            "rows::fields_whose_names_can_be_no_column_are_kept_aside",
        ),
        Fault(
            "A first page without identifiers is skipped like any other",
            "deliver_page: len(users) >= __MIN_USERS_TO_JUDGE => False",
            "rows::a_first_page_without_any_identifier_is_an_error_before_anything_is_stored",
        ),
        Fault(
            "A page of guests ends a sync",
            "deliver_page: sync.pages == 0 => True",
            "rows::guests_without_an_identifier_on_a_later_page_are_counted",
        ),
        Fault(
            "A user who is skipped moves the cursor",
            "take_user: sync.without_key.add(key) => sync.without_key.add(key); move_cursor(sync, parse_timestamp(user['updated_at']), user['updated_at'])",
            "rows::a_skipped_user_does_not_move_the_cursor",
        ),
    ],
    "Rows: times": [
        Fault(
            "Digits alone are read as a date",
            r"read_iso: re.fullmatch(r'\d{4}-\d\d-\d\d([T ].+)?', text, re.ASCII) => True",
            "cursor::what_is_no_timestamp_is_none",
        ),
        Fault(
            "A time with UTC behind it is unreadable",
            "read_iso: 'UTC' => 'GMT'",
            "cursor::a_timestamp_is_read_as_the_instant_it_means",
        ),
        Fault(
            "A time that cannot be held in UTC ends the sync",
            "parse_timestamp: OverflowError => KeyError",
            "cursor::what_is_no_timestamp_is_none",
        ),
    ],
    "What a sync reports": [
        Fault(
            "Warnings do not reach the dashboard",
            "finish_sync: op.warning(f'{warning}.') => pass",
            "reports::users_who_share_an_identifier_are_counted",
        ),
        Fault(
            "Warnings do not reach the log",
            "finish_sync: log.warning(f'{warning}.') => pass",
            "reports::users_who_share_an_identifier_are_counted",
        ),
        Fault(
            "Progress is reported after each page",
            "deliver_page: sync.pages % __PAGES_PER_PROGRESS_LINE == 0 => True",
            "sync::the_log_tells_what_is_synced_how_far_it_is_and_the_totals",
        ),
        Fault(
            "Progress is reported without the number of all users",
            "deliver_page: sync.total and sync.updated_since is None => False",
            "sync::the_log_tells_how_many_users_there_are_where_the_api_says_so",
        ),
        Fault(
            "Only pairs are counted, not people",
            "find_warnings: sum(shared) => len(shared)",
            "reports::a_placeholder_for_a_missing_identifier_is_counted",
        ),
        Fault(
            "A user who moved is taken for two",
            "find_warnings: len(current.met) == len(sync.known) + len(sync.without_key) => True",
            "reports::users_who_move_in_each_pass_share_no_identifier",
        ),
        Fault(
            "Columns are judged by a few users",
            "find_warnings: len(sync.known) >= __MIN_USERS_TO_JUDGE => True",
            "reports::columns_are_judged_by_20_users_at_least",
        ),
        Fault(
            "An empty text is a value",
            "take_user: row.get(name) not in (None, '') => row.get(name) is not None",
            "reports::declared_columns_in_which_no_user_has_a_value_are_named",
        ),
        Fault(
            "A total beside the list is not found",
            "find_total: (fields, *fields.values()) => (fields,)",
            "reports::fewer_users_than_the_apis_own_total_are_reported[meta.total_records]",
        ),
        Fault(
            "A total of something else is one of users",
            "find_total: '(?!page|point|balance|amount)' => ''",
            "reports::a_total_of_something_else_is_not_taken_for_a_number_of_users",
        ),
        Fault(
            "A total counts everybody, even one that is no larger than its page",
            "find_total: number > on_page => True",
            "passes::a_total_that_is_no_larger_than_its_page_counts_that_page",
        ),
        Fault(
            "A filter is ignored where users are older at all",
            "find_warnings: since - oldest > __CLEARLY_OLDER => since > oldest",
            "reports::users_two_days_older_than_the_filter_are_no_reason_to_warn",
        ),
        Fault(
            "An ignored filter is not reported",
            "find_warnings: since - oldest > __CLEARLY_OLDER => False",
            "reports::a_filter_that_is_ignored_is_reported",
        ),
    ],
    "Configuration": [
        Fault(
            "Quotation marks stay around a pasted value",
            "validate_configuration: '“”‘’]+$' => ']+$'",
            "configuration::quotation_marks_around_a_value_are_dropped_as_spaces_are",
        ),
        Fault(
            "A placeholder is taken for a setting",
            "validate_configuration: '<.*>' => '<>'",
            "configuration::an_optional_setting_left_unset_has_its_default",
        ),
        Fault(
            "An encrypted key is taken for one",
            "__SETTINGS: '(?!fivetran_encrypted:)' => ''",
            "configuration::a_useless_setting_is_refused_by_name_with_a_remedy",
        ),
        Fault(
            "http may go to any machine",
            "__SETTINGS: '(https://|' => '(https?://|'",
            "configuration::a_useless_setting_is_refused_by_name_with_a_remedy",
        ),
        Fault(
            "A password in the address goes along",
            r"__SETTINGS: r'[^\s\\/@?#][^\s\\@?#]*' => r'[^\s\\/?#][^\s\\?#]*'",
            "configuration::a_useless_setting_is_refused_by_name_with_a_remedy",
        ),
        Fault(
            "The filter may be called per_page",
            "__TAKEN: [__PAGE_PARAM, __PER_PAGE_PARAM, *__OTHER_PARAMS] => [__PAGE_PARAM]",
            "configuration::a_useless_setting_is_refused_by_name_with_a_remedy",
        ),
        Fault(
            "Days between full syncs may be any text",
            "__SETTINGS: '([1-9][0-9]{0,4})?' => '.*'",
            "configuration::a_useless_setting_is_refused_by_name_with_a_remedy",
        ),
        Fault(
            "A refusal shows what was pasted",
            "validate_configuration: 'cannot be used' => value",
            "configuration::a_refusal_shows_no_value",
        ),
        Fault(
            "The address is cut in its host",
            "validate_configuration: '(?<!/)' => ''",
            "configuration::requests_go_to_the_host_that_was_given",
        ),
        Fault(
            "/api/users stays in the address",
            "validate_configuration: {**settings, 'base_url': url, 'updated_since_param': param} => {**settings, 'updated_since_param': param}",
            "configuration::an_address_is_understood_however_it_was_pasted",
        ),
    ],
    "Setup form": [
        Fault(
            "The setup test does not try the API's own times",
            "filter_test: answer.refusal and not answer.is_nobody => False",
            "setup_form::an_api_that_refuses_its_own_times_fails_with_what_it_said",
        ),
        Fault(
            "A strict filter that finds nobody fails the setup test",
            "filter_test: answer.refusal and not answer.is_nobody => answer.refusal",
            "setup_form::a_strict_filter_that_finds_nobody_is_no_refusal",
        ),
        Fault(
            "The setup test asks for who changed last, whom any filter returns",
            "filter_test: time_of_user[0] < times[-1][0] => True",
            "setup_form::the_filter_is_asked_in_the_notation_of_the_api",
        ),
        Fault(
            "A filter in another zone passes the setup test",
            "filter_test: later - answer.people => False",
            "setup_form::a_filter_that_reads_times_in_another_zone_is_reported",
        ),
        Fault(
            "A busy filter is taken for one in another zone",
            "filter_test: len(answer.users) < len(users) => True",
            "setup_form::a_busy_filter_is_not_taken_for_one_in_another_zone",
        ),
        Fault(
            "A filter that lets too many through is taken for one that leaves users out",
            "filter_test: later - answer.people => later ^ answer.people",
            "setup_form::a_user_dated_2099_does_not_hide_that_the_filter_works",
        ),
        Fault(
            "A refusal of a future time fails the setup test",
            "filter_test: find_times(ask(to_come).users) => find_times(ask(to_come).users or users)",
            "setup_form::an_api_that_refuses_a_time_to_come_passes",
        ),
        Fault(
            "A filter that the API ignores passes the setup test",
            "filter_test: at < parse_timestamp(to_come) => False",
            "setup_form::a_filter_that_the_api_ignores_is_reported_with_the_setting_to_change",
        ),
        Fault(
            "The setup test asks for a future time in one notation",
            "filter_test: sample[10:] => 'T00:00:00Z'",
            "setup_form::the_filter_is_asked_in_the_notation_of_the_api",
        ),
        Fault(
            "A setup test raises",
            "setup_test: Exception => KeyboardInterrupt",
            "secrets::a_setup_test_that_breaks_shows_no_key",
        ),
        Fault(
            "The problem of a setup test that broke is reported with its values",
            "setup_test: type(error).__name__ => error",
            "secrets::a_setup_test_that_breaks_shows_no_key",
        ),
        Fault(
            "A person waits for minutes",
            "__SETUP_LIMITS: 2 => 8",
            "setup_form::an_api_that_is_down_is_asked_twice_not_for_minutes",
        ),
        Fault(
            "A person waits as long as the API asks",
            "__SETUP_LIMITS: 10 => 600",
            "setup_form::a_setup_test_does_not_wait_for_minutes_on_the_api_s_word",
        ),
        Fault(
            "Users who were never updated fail the setup test",
            "users_test: all(user.get('updated_at', 'missing') is None for user in found) => False",
            "setup_form::a_first_page_of_users_never_updated_does_not_stop_a_good_setup",
        ),
        Fault(
            "Users without a key pass the setup test",
            "users_test: not found => False",
            "setup_form::users_that_a_sync_could_not_use_are_reported_with_what_to_do",
        ),
        Fault(
            "A tenant without users passes the setup test",
            "users_test: return 'The API returns no users: check that api_key may see those of your tenant.' => return None",
            "setup_form::users_that_a_sync_could_not_use_are_reported_with_what_to_do",
        ),
        Fault(
            "The form has no field for full syncs",
            "configuration_form: form.add_field(text('full_sync_days', label, description=said, placeholder='7')) => pass",
            "setup_form::the_form_asks_for_what_a_customer_has_to_give",
        ),
        Fault(
            "The form shows the key while it is typed",
            "configuration_form: text.password => text.plain_text",
            "setup_form::only_the_key_is_typed_unseen_and_stored_encrypted",
        ),
    ],
    "Mock mode": [
        Fault(
            "Mock mode is accepted on Fivetran",
            "validate_configuration: os.environ.get('FIVETRAN_DEPLOYMENT_MODEL') != 'local_debug' => False",
            "configuration::made_up_people_never_reach_a_warehouse",
        ),
        Fault(
            "Mock mode ignores the filter",
            "answer_mock: (parse_timestamp(user['updated_at']) or __NEVER) >= since => True",
            "sync::mock_mode_pages_and_is_incremental_without_network_or_key",
        ),
    ],
}
