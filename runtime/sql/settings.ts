// Settings that a client of ClickHouse's HTTP interface may send.

/** They change what an answer looks like, or how a join is made, and nothing else: they go to the engine. */
export const passedSettings: ReadonlySet<string> = new Set([
  'any_join_distinct_right_table_keys', 'cast_string_to_dynamic_use_inference',
  'date_time_output_format', 'decimal_check_overflow', 'enable_named_columns_in_function_tuple', 'extremes', 'group_by_use_nulls', 'join_algorithm', 'join_default_strictness', 'join_use_nulls',
  'output_format_arrow_compression_method', 'output_format_arrow_fixed_string_as_fixed_byte_array', 'output_format_arrow_low_cardinality_as_dictionary', 'output_format_arrow_string_as_string',
  'output_format_binary_write_json_as_string', 'output_format_csv_crlf_end_of_line', 'output_format_decimal_trailing_zeros', 'output_format_json_array_of_rows', 'output_format_json_escape_forward_slashes',
  'output_format_json_named_tuples_as_objects', 'output_format_json_quote_64bit_floats', 'output_format_json_quote_64bit_integers', 'output_format_json_quote_decimals', 'output_format_json_quote_denormals',
  'output_format_native_use_flattened_dynamic_and_json_serialization', 'output_format_native_write_json_as_string', 'output_format_parquet_compression_method', 'output_format_parquet_string_as_string', 'output_format_pretty_max_rows',
  'output_format_tsv_crlf_end_of_line', 'output_format_write_statistics', 'session_timezone', 'totals_mode', 'union_default_mode'
])

/** They are taken and have no effect: the platform's own limits hold, or the HTTP interface is that of the platform. */
export const droppedSettings: ReadonlySet<string> = new Set([
  'add_http_cors_header', 'allow_experimental_dynamic_type', 'allow_experimental_json_type', 'allow_experimental_object_type', 'allow_experimental_variant_type', 'async_insert', 'buffer_size', 'cancel_http_readonly_queries_on_client_close',
  'client_protocol_version', 'compress', 'connect_timeout', 'date_time_input_format', 'decompress', 'enable_http_compression', 'http_headers_progress_interval_ms', 'http_max_field_value_size', 'http_receive_timeout', 'http_response_buffer_size', 'http_send_timeout',
  'http_write_exception_in_output_format', 'http_zlib_compression_level', 'input_format_native_allow_types_conversion', 'insert_deduplicate', 'log_queries', 'max_block_size', 'max_execution_time', 'max_memory_usage', 'max_result_bytes', 'max_result_rows', 'max_rows_to_read', 'max_threads', 'network_compression_method',
  'optimize_throw_if_noop', 'priority', 'query_id', 'quota_key', 'readonly', 'receive_timeout', 'result_overflow_mode', 'role', 'send_logs_level', 'send_progress_in_http_headers', 'send_timeout',
  'session_check', 'session_id', 'session_timeout', 'wait_end_of_query'
])
